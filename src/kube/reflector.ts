// Keeps a copy of all objects of one kind in step with the API server: a list, then watches that each go on where the one
// before ended, and a new list only when the server no longer knows that place. Nothing that fails ends it; stop() does.
import { Backoff } from "../common/backoff.ts";
import type { Clock } from "../common/clock.ts";
import { fromThrown } from "./api-error.ts";
import type { ApiError } from "./api-error.ts";
import type { ClusterConnection } from "./cluster-connection.ts";
import { listKind } from "./list-pages.ts";
import type { Listing } from "./list-pages.ts";
import { pause } from "./pause.ts";
import type { KubeObject, ResourceKind } from "./resource-kind.ts";
import { watchOnce } from "./watch-once.ts";
import type { OpenWatch } from "./watch-once.ts";

export interface ReflectorOptions {
  readonly connection: ClusterConnection;
  readonly clock: Clock;
  readonly kind: ResourceKind;
  /** Only objects that it matches, such as `metadata.name=x`. */
  readonly fieldSelector?: string | undefined;
  /** Only of this namespace; undefined: of all. */
  readonly namespace?: string | undefined;
  /** All there is now. Called once for each list; empty while the server has no such kind. */
  readonly onReplace: (objects: readonly KubeObject[]) => void;
  readonly onChange: (type: "changed" | "deleted", object: KubeObject) => void;
  /** Another reason than before why it isn't in step. */
  readonly onTrouble: (error: ApiError) => void;
  /** In step again. */
  readonly onRecovered: () => void;
  /** Uniform in [0, 1). */
  readonly random?: () => number;
}

/** client-go's reflector. */
const BACKOFF = { initialMs: 800, maxMs: 30_000 };
/** Also client-go's: from 5 to 10 minutes, so that not all watches end at once. */
const WATCH_TIMEOUT_S = 300;
/** API servers send a bookmark about every minute. */
const IDLE_LIMIT_MS = 150_000;
const LIST_TIMEOUT_MS = 60_000;
/** How soon a CRD that somebody installs is seen; up to twice as long. */
const ABSENT_RETRY_MS = 10_000;

export class Reflector {
  readonly #options: ReflectorOptions;
  readonly #random: () => number;
  readonly #backoff: Backoff;
  readonly #stopping = new AbortController();
  #watch: OpenWatch | undefined;
  #trouble: string | undefined;

  constructor(options: ReflectorOptions) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
    this.#backoff = new Backoff({ ...BACKOFF, random: this.#random });
  }

  start(): void {
    void this.#run();
  }

  /** Nothing is called back any more. */
  stop(): void {
    this.#stopping.abort();
    this.#watch?.stop();
  }

  get #isStopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      const listing = await this.#list();
      if (this.#isStopped || listing === undefined) continue;
      this.#options.onReplace(listing.objects);
      this.#recovered();
      await this.#follow(listing);
    }
  }

  /** @returns undefined, after a pause, when there is nothing to follow. */
  async #list(): Promise<Listing | undefined> {
    const { connection, clock, kind, fieldSelector, namespace } = this.#options;
    try {
      const listing = await listKind(connection, kind, {
        ...{ clock, timeoutMs: LIST_TIMEOUT_MS, signal: this.#stopping.signal, fieldSelector, namespace },
      });
      if (listing !== undefined || this.#isStopped) return listing;
      this.#options.onReplace([]);
      this.#recovered();
      await this.#pause(ABSENT_RETRY_MS * (1 + this.#random()));
    } catch (error) {
      await this.#failed(fromThrown(error));
    }
    return undefined;
  }

  /** Watches on and on, until a new list is needed. */
  async #follow({ version, ...listing }: Listing): Promise<void> {
    const { connection, clock, kind, fieldSelector, namespace, onChange } = this.#options;
    let { resourceVersion } = listing;
    while (!this.#isStopped) {
      let hasHeard = false;
      const timeoutS = Math.round(WATCH_TIMEOUT_S * (1 + this.#random()));
      this.#watch = watchOnce({
        ...{ connection, clock, kind, version, fieldSelector, namespace, resourceVersion, timeoutS, idleLimitMs: IDLE_LIMIT_MS },
        onObject: onChange,
        onVersion: (newest) => {
          resourceVersion = newest;
          hasHeard = true;
          this.#recovered();
        },
      });
      const startedMs = clock.now();
      const end = await this.#watch.ended;
      if (this.#isStopped) return;
      const isSound = hasHeard || clock.now() - startedMs >= BACKOFF.maxMs;
      if (isSound) this.#backoff.reset();
      // What it began at is forgotten; or the CRD is gone, or serves another version now: the list finds out.
      if (end.reason === "expired" || (end.reason === "failed" && end.error.code === 404)) {
        // A server that forgets as fast as we list, or lists what can't be watched, is not to be asked faster and faster.
        if (!isSound) await this.#pause(this.#backoff.next());
        return;
      }
      if (end.reason === "closed") {
        if (!isSound) await this.#pause(this.#backoff.next());
        continue;
      }
      await this.#failed(end.error);
    }
  }

  async #failed(error: ApiError): Promise<void> {
    if (this.#isStopped) return;
    if (this.#trouble !== error.message) this.#options.onTrouble(error);
    this.#trouble = error.message;
    await this.#pause(Math.max(this.#backoff.next(), error.retryAfterMs ?? 0));
  }

  #recovered(): void {
    if (this.#trouble === undefined || this.#isStopped) return;
    this.#trouble = undefined;
    this.#options.onRecovered();
  }

  #pause(delayMs: number): Promise<void> {
    return pause(this.#options.clock, delayMs, this.#stopping.signal);
  }
}
