// One watch, from a resource version until it ends, by the client's Watch. It never throws: how it ended is a value.
import { Watch } from "@kubernetes/client-node";
import type { Clock } from "../common/clock.ts";
import { ApiError, fromThrown } from "./api-error.ts";
import type { ClusterConnection } from "./cluster-connection.ts";
import { apiVersionOf, collectionPath, completeObject } from "./resource-kind.ts";
import type { KubeObject, ResourceKind } from "./resource-kind.ts";

export interface WatchOptions {
  readonly connection: ClusterConnection;
  readonly clock: Clock;
  readonly kind: ResourceKind;
  readonly version: string;
  readonly fieldSelector?: string | undefined;
  readonly namespace?: string | undefined;
  readonly resourceVersion: string;
  /** So long the server is asked to keep it up. */
  readonly timeoutS: number;
  /** A watch that says nothing for longer, not even a bookmark, is dead. */
  readonly idleLimitMs: number;
  readonly onObject: (type: "changed" | "deleted", object: KubeObject) => void;
  /** Everything up to here has been told. */
  readonly onVersion: (resourceVersion: string) => void;
}

/** `expired`: what came after the version that it began at is forgotten. */
export type WatchEnd =
  { readonly reason: "closed" } | { readonly reason: "expired" } | { readonly reason: "failed"; readonly error: ApiError };

export interface OpenWatch {
  readonly ended: Promise<WatchEnd>;
  stop(): void;
}

/** The client's own idle limit, 30 s, is shorter than the time between two bookmarks; this is as long as timers go. */
const CLIENT_IDLE_LIMIT_MS = 2 ** 31 - 1;

export function watchOnce(options: WatchOptions): OpenWatch {
  const { connection, clock, kind, version, idleLimitMs } = options;
  let finish: (end: WatchEnd) => void = () => undefined;
  let hasEnded = false;
  let abort = (): void => undefined;
  let heardMs = clock.now();
  let cancelIdle = (): void => undefined;
  const ended = new Promise<WatchEnd>((resolve) => (finish = resolve));
  const end = (how: WatchEnd): void => {
    if (hasEnded) return;
    hasEnded = true;
    cancelIdle();
    abort();
    finish(how);
  };
  const fail = (error: unknown): void => end({ reason: "failed", error: fromThrown(error) });

  const watchIdleness = (delayMs: number): void => {
    cancelIdle = clock.after(delayMs, () => {
      const leftMs = heardMs + idleLimitMs - clock.now();
      if (leftMs > 0) watchIdleness(leftMs);
      else fail(new ApiError(0, "", `nothing was heard for ${idleLimitMs / 1000} s`));
    });
  };
  watchIdleness(idleLimitMs);

  const onEvent = (type: string, item: unknown): void => {
    if (hasEnded) return;
    heardMs = clock.now();
    // Whatever is thrown in here, the client swallows: the object would be lost, and nobody told.
    try {
      tell(type, item);
    } catch (error) {
      fail(error);
    }
  };
  const tell = (type: string, item: unknown): void => {
    if (type === "ERROR") {
      const { code, reason, message } = item as { code?: number; reason?: string; message?: string };
      if (code === 410) end({ reason: "expired" });
      else fail(new ApiError(code ?? 0, reason ?? "", message ?? "the watch failed"));
      return;
    }
    const { resourceVersion } = (item as KubeObject).metadata;
    if (type === "ADDED" || type === "MODIFIED") options.onObject("changed", completeObject(kind, version, item));
    else if (type === "DELETED") options.onObject("deleted", completeObject(kind, version, item));
    if (resourceVersion !== undefined) options.onVersion(resourceVersion);
  };
  const onDone = (error: unknown): void => {
    if (error === null || error === undefined) return end({ reason: "closed" });
    const failure = fromThrown(error);
    end(failure.code === 410 ? { reason: "expired" } : { reason: "failed", error: failure });
  };

  const watch = new Watch(connection);
  Object.assign(watch, { requestTimeoutMs: CLIENT_IDLE_LIMIT_MS });
  const query = {
    resourceVersion: options.resourceVersion,
    allowWatchBookmarks: true,
    timeoutSeconds: options.timeoutS,
    fieldSelector: options.fieldSelector,
  };
  const path = collectionPath(apiVersionOf(kind, version), kind.plural, options.namespace);
  watch.watch(path, query, onEvent, onDone).then((controller) => {
    abort = () => controller.abort();
    if (hasEnded) abort();
  }, fail);
  return { ended, stop: () => end({ reason: "closed" }) };
}
