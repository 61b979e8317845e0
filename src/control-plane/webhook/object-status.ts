// Marks mesh objects that have mistakes in their status: those that came while no webhook answered, or before it was there.
// Only the replica that holds the Lease writes.
import { Backoff } from "../../common/backoff.ts";
import type { Clock } from "../../common/clock.ts";
import type { Logger } from "../../common/log.ts";
import { fromThrown } from "../../kube/api-error.ts";
import type { ApiError } from "../../kube/api-error.ts";
import type { KubeObjects } from "../../kube/objects.ts";
import { isMeshGroup, isMeshKind } from "../../mesh-api/mesh-kinds.ts";
import type { RawObject } from "../ingest/raw-object.ts";
import type { SourceChange } from "../sources/source.ts";
import { wantedStatus } from "./wanted-status.ts";

export interface ObjectStatusOptions {
  readonly objects: KubeObjects;
  readonly isLeader: () => boolean;
  readonly clock: Clock;
  readonly log: Logger;
  readonly onWrite: () => void;
}

const MANAGER = "meshctl-controller-status";
const BACKOFF = { initialMs: 1_000, maxMs: 60_000 };
/** How soon a new leader goes on where another stopped. */
const LEADER_CHECK_MS = 2_000;

export class ObjectStatus {
  readonly #options: ObjectStatusOptions;
  /** Objects whose status isn't right, by part of the source. */
  readonly #pending = new Map<string, RawObject>();
  readonly #backoff = new Backoff(BACKOFF);
  #isWriting = false;
  #isStopped = false;
  #cancelRetry: (() => void) | undefined;
  #trouble: string | undefined;

  constructor(options: ObjectStatusOptions) {
    this.#options = options;
  }

  /** What a cluster's source has heard of. */
  apply(changes: readonly SourceChange[]): void {
    for (const { part, objects } of changes) {
      const [raw] = objects;
      const isOurs = raw !== undefined && isMeshGroup(raw.apiVersion) && isMeshKind(raw.kind);
      if (isOurs && wantedStatus(raw, 0) !== undefined) this.#pending.set(part, raw);
      else this.#pending.delete(part);
    }
    if (this.#cancelRetry === undefined) this.#wake();
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelRetry?.();
  }

  #wake(): void {
    this.#cancelRetry = undefined;
    if (this.#isWriting || this.#isStopped || this.#pending.size === 0) return;
    this.#isWriting = true;
    void this.#writeAll().then((delayMs) => {
      this.#isWriting = false;
      if (this.#pending.size > 0) this.#wakeAfter(delayMs);
    });
  }

  #wakeAfter(delayMs: number): void {
    if (!this.#isStopped) this.#cancelRetry = this.#options.clock.after(delayMs, () => this.#wake());
  }

  /** One after the other. @returns when to go on with what is left. */
  async #writeAll(): Promise<number> {
    let isRefused = false;
    for (const [part, raw] of [...this.#pending]) {
      if (this.#isStopped || !this.#options.isLeader()) return LEADER_CHECK_MS;
      // What came meanwhile is newer.
      if (this.#pending.get(part) !== raw) continue;
      const error = await this.#write(raw);
      if (error === undefined) {
        if (this.#pending.get(part) === raw) this.#pending.delete(part);
      } else if (isAboutOne(error)) {
        isRefused = true;
      } else {
        return Math.max(this.#backoff.next(), error.retryAfterMs ?? 0);
      }
    }
    if (isRefused) return this.#backoff.next();
    this.#backoff.reset();
    return 0;
  }

  /** @returns why it isn't right yet. */
  async #write(raw: RawObject): Promise<ApiError | undefined> {
    const { objects, clock, log, onWrite } = this.#options;
    const status = wantedStatus(raw, clock.now());
    if (status === undefined) return undefined;
    const { apiVersion, kind, namespace, name } = raw;
    const { resourceVersion } = raw.value["metadata"] as { readonly resourceVersion?: string };
    try {
      await objects.mergePatch(
        { apiVersion, kind, namespace, name },
        { metadata: { resourceVersion }, status },
        { subresource: "status", fieldManager: MANAGER },
      );
      onWrite();
      this.#trouble = undefined;
      return undefined;
    } catch (thrown) {
      const error = fromThrown(thrown);
      const { code, message } = error;
      // It is gone, or another one by now: the source tells.
      if (code === 404 || code === 409) return undefined;
      const remedy = code === 403 ? `; allow the controller to patch the status of ${kind}` : "";
      if (!this.#isStopped && this.#trouble !== message)
        log.warn({ object: `${kind} ${namespace}/${name}`, status: code }, `can't write its status: ${message}${remedy}`);
      this.#trouble = message;
      return error;
    }
  }
}

/** The server answers, and won't have this write: others may go through. 429 is its word to everybody. */
function isAboutOne({ code }: ApiError): boolean {
  return code >= 400 && code < 500 && code !== 401 && code !== 429;
}
