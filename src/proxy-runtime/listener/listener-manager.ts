// All listeners by name; finds the one that a captured connection was meant for.
import { formatAddress } from "../../common/address.ts";
import type { ListenerConfig } from "../config/listener-config.ts";
import type { ProxyConfig } from "../config/proxy-config.ts";
import type { Counter, Gauge, StatsStore } from "../telemetry/stats-store.ts";
import type { SocketAddress } from "../transport/socket-address.ts";
import { Listener, type ListenerDependencies } from "./listener.ts";

/** A listener that is not served: its address could not be bound. */
export interface BindFailure {
  readonly name: string;
  readonly config: ListenerConfig;
  readonly error: NodeJS.ErrnoException;
}

export class ListenerManager {
  readonly #dependencies: Omit<ListenerDependencies, "listenerFor" | "nextConnectionId">;
  readonly #listeners = new Map<string, Listener>();
  /** `ip:port` → listener, for use_original_dst. */
  #byAddress = new Map<string, Listener>();
  readonly #added: Counter;
  readonly #modified: Counter;
  readonly #removed: Counter;
  readonly #active: Gauge;
  #connectionId: number;

  constructor(dependencies: Omit<ListenerDependencies, "listenerFor" | "nextConnectionId">, store: StatsStore) {
    this.#dependencies = dependencies;
    const { index, count } = dependencies.worker;
    this.#connectionId = index + 1 - count;
    const scope = store.plainScope("listener_manager");
    this.#added = scope.counter("listener_added", undefined, "max");
    this.#modified = scope.counter("listener_modified", undefined, "max");
    this.#removed = scope.counter("listener_removed", undefined, "max");
    this.#active = scope.gauge("total_listeners_active", "max");
  }

  all(): IterableIterator<Listener> {
    return this.#listeners.values();
  }

  /**
   * Adds, changes and removes listeners so that they are those of the configuration.
   * @param ports of listeners that ask for port 0, where the system has chosen already.
   */
  async apply(config: ProxyConfig, ports: ReadonlyMap<string, readonly number[]>): Promise<readonly BindFailure[]> {
    const failures: BindFailure[] = [];
    for (const [name, listener] of this.#listeners) {
      const wanted = config.listeners.get(name);
      if (wanted !== undefined && sameAddresses(wanted, listener.config)) continue;
      this.#listeners.delete(name);
      listener.closeSockets();
      listener.drain();
      this.#removed.inc();
    }
    const fresh: Listener[] = [];
    for (const each of config.listeners.values()) {
      const known = this.#listeners.get(each.name);
      if (known === undefined) {
        const listener = new Listener(each, {
          ...this.#dependencies,
          listenerFor: (destination) => this.#listenerFor(destination),
          nextConnectionId: () => (this.#connectionId += this.#dependencies.worker.count),
        });
        this.#listeners.set(each.name, listener);
        fresh.push(listener);
      } else if (known.config !== each) {
        known.configure(each);
        this.#modified.inc();
      }
    }
    this.#index();
    // Sockets last: the first connection finds every listener that it may be handed to.
    // Inbound ones last: what comes in may make the application call out.
    fresh.sort((left, right) => Number(left.config.direction === "inbound") - Number(right.config.direction === "inbound"));
    for (const listener of fresh) {
      try {
        await listener.bind(ports.get(listener.config.name));
        this.#added.inc();
      } catch (error) {
        this.#listeners.delete(listener.config.name);
        failures.push({ name: listener.config.name, config: listener.config, error: error as NodeJS.ErrnoException });
      }
    }
    this.#index();
    this.#active.set(this.#listeners.size);
    return failures;
  }

  #index(): void {
    this.#byAddress = new Map();
    for (const listener of this.#listeners.values()) {
      const { config } = listener;
      if (config.useOriginalDst) continue;
      for (const { host, port } of [config.address, ...config.additionalAddresses])
        this.#byAddress.set(formatAddress(host, port), listener);
    }
  }

  /** The listener of exactly this address, else of its port on any address. */
  #listenerFor({ ip, port }: SocketAddress): Listener | undefined {
    const exact = this.#byAddress.get(formatAddress(ip, port));
    if (exact !== undefined) return exact;
    if (ip.includes(":")) return this.#byAddress.get(`[::]:${port}`) ?? this.#byAddress.get(`0.0.0.0:${port}`);
    return this.#byAddress.get(`0.0.0.0:${port}`);
  }
}

function sameAddresses(left: ListenerConfig, right: ListenerConfig): boolean {
  const text = (config: ListenerConfig): string => JSON.stringify([config.bindToPort, config.address, config.additionalAddresses]);
  return text(left) === text(right);
}
