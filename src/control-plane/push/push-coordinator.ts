// From "something changed" to "every proxy has it": debounces changes, takes one snapshot, and puts every connected proxy
// in the queue. Also the ADS server's view of who is connected.
import type { Clock } from "../../common/clock.ts";
import type { AdsConnection } from "../../xds/ads-server.ts";
import type { MeshSnapshot } from "../registry/mesh-snapshot.ts";
import type { ProxyNode } from "../translate/proxy-view.ts";
import { ConfigCache } from "./config-cache.ts";
import { Debounce } from "./debounce.ts";
import { PushQueue } from "./push-queue.ts";

/** Istio's: wait for 100 ms without a change, but not longer than 10 s. */
const QUIET_MS = 100;
const MAX_MS = 10_000;
const CONCURRENT_PUSHES = 25;

export interface PushCoordinatorOptions {
  readonly clock: Clock;
  readonly snapshot: () => MeshSnapshot;
  /** A proxy has been handed everything of a change, this many ms after it. */
  readonly onConverged: (elapsedMs: number) => void;
  readonly onError: (connection: AdsConnection<ProxyNode>, error: unknown) => void;
}

export class PushCoordinator {
  readonly cache: ConfigCache;
  readonly connections = new Set<AdsConnection<ProxyNode>>();
  readonly #options: PushCoordinatorOptions;
  readonly #debounce: Debounce;
  readonly #queue: PushQueue<{ readonly closed: boolean; push(): Promise<void> }>;
  readonly #entries = new Map<AdsConnection<ProxyNode>, { readonly closed: boolean; push(): Promise<void> }>();
  #changedMs: number | undefined;
  #pushedMs = 0;

  constructor(options: PushCoordinatorOptions) {
    this.#options = options;
    this.cache = new ConfigCache(options.snapshot(), new Date(options.clock.now()).toISOString());
    this.#debounce = new Debounce({ clock: options.clock, quietMs: QUIET_MS, maxMs: MAX_MS, fire: () => this.pushNow() });
    this.#queue = new PushQueue(CONCURRENT_PUSHES, () => undefined);
  }

  /** The registry has changed. */
  changed(): void {
    this.#changedMs ??= this.#options.clock.now();
    this.#debounce.trigger();
  }

  /** Takes the newest snapshot and sends it to everybody, without waiting. */
  pushNow(): void {
    this.#pushedMs = this.#changedMs ?? this.#options.clock.now();
    this.#changedMs = undefined;
    this.cache.use(this.#options.snapshot());
    for (const entry of this.#entries.values()) this.#queue.enqueue(entry);
  }

  connected(connection: AdsConnection<ProxyNode>): void {
    this.connections.add(connection);
    this.#entries.set(connection, {
      get closed() {
        return connection.closed;
      },
      push: async () => {
        const changedMs = this.#pushedMs;
        try {
          await connection.push();
          this.#options.onConverged(this.#options.clock.now() - changedMs);
        } catch (error) {
          this.#options.onError(connection, error);
        }
      },
    });
  }

  disconnected(connection: AdsConnection<ProxyNode>): void {
    this.connections.delete(connection);
    this.#entries.delete(connection);
    this.cache.forget(connection.proxy);
  }

  stop(): void {
    this.#debounce.stop();
  }
}
