// What became of a pod, as an event on the object that made it, where `kubectl describe` shows it. A ReplicaSet of a
// hundred pods gets one event that counts; a cluster that starts again doesn't get a flood.
import { randomBytes } from "node:crypto";
import type { Clock } from "../../common/clock.ts";
import type { Logger } from "../../common/log.ts";
import { fromThrown } from "../../kube/api-error.ts";
import type { KubeObjects } from "../../kube/objects.ts";
import type { OwnerReference } from "../../manifests/kube-objects.ts";
import { INJECTED_ALREADY } from "./injection-webhook.ts";
import type { InjectionReport } from "./injection-webhook.ts";
import { controllerOf } from "./pod-owner.ts";

export interface InjectionEventsOptions {
  readonly objects: KubeObjects;
  readonly clock: Clock;
  readonly log: Logger;
  /** Names this replica. */
  readonly instance: string;
  /** One that was too many. */
  readonly onDropped: () => void;
}

const WORDS = {
  injected: { reason: "Injected", type: "Normal", text: "a sidecar was added" },
  skipped: { reason: "InjectionSkipped", type: "Normal", text: "no sidecar was added" },
  refused: { reason: "InjectionRefused", type: "Warning", text: "the pod can't have a sidecar" },
  failed: { reason: "InjectionFailed", type: "Warning", text: "the review failed" },
} as const;

/** client-go's event sink: 25 at once for an object, later one in five minutes. Ours is for all objects together. */
const BURST = 25;
const PER_SECOND = 5;
/** So long the same is counted in memory before the count is written. */
const COUNT_AFTER_MS = 10_000;
/** client-go's aggregation window. */
const FORGET_AFTER_MS = 600_000;
const MAX_REMEMBERED = 1024;
/** Of an event's message: the API server's limit. */
const MAX_MESSAGE = 1024;

interface Remembered {
  readonly namespace: string;
  readonly name: string;
  count: number;
  lastMs: number;
  hasNews: boolean;
}

export class InjectionEvents {
  readonly #options: InjectionEventsOptions;
  readonly #remembered = new Map<string, Remembered>();
  readonly #cancels = new Set<() => void>();
  #tokens = BURST;
  #refilledMs: number;
  #trouble: string | undefined;

  constructor(options: InjectionEventsOptions) {
    this.#options = options;
    this.#refilledMs = options.clock.now();
  }

  stop(): void {
    for (const each of this.#cancels) each();
    this.#cancels.clear();
  }

  record({ outcome, reason: word, text, pod, request }: InjectionReport): void {
    const owner = controllerOf(pod?.metadata);
    // API servers ask again about what they, or others, have changed since: that we were there is no news.
    if (request.dryRun || owner === undefined || word === INJECTED_ALREADY) return;
    const { reason, type, text: what } = WORDS[outcome];
    const message = `${what}: ${text}`.slice(0, MAX_MESSAGE);
    const key = `${owner.uid} ${reason} ${message}`;
    const nowMs = this.#options.clock.now();
    const known = this.#remembered.get(key);
    if (known !== undefined && nowMs - known.lastMs < FORGET_AFTER_MS) return this.#count(known, nowMs);
    if (!this.#takeToken(nowMs)) return this.#options.onDropped();
    const event = { namespace: request.namespace, name: `${owner.name}.${randomBytes(8).toString("hex")}`, count: 1, lastMs: nowMs };
    this.#remember(key, { ...event, hasNews: false });
    void this.#send(() => this.#create(event, owner, { reason, type, message }, nowMs));
  }

  /** The oldest goes first. */
  #remember(key: string, event: Remembered): void {
    this.#remembered.delete(key);
    this.#remembered.set(key, event);
    if (this.#remembered.size <= MAX_REMEMBERED) return;
    const [oldest] = this.#remembered.keys();
    if (oldest !== undefined) this.#remembered.delete(oldest);
  }

  #count(event: Remembered, nowMs: number): void {
    event.count++;
    event.lastMs = nowMs;
    if (event.hasNews) return;
    event.hasNews = true;
    const cancel = this.#options.clock.after(COUNT_AFTER_MS, () => {
      this.#cancels.delete(cancel);
      event.hasNews = false;
      const { namespace, name, count, lastMs } = event;
      if (!this.#takeToken(this.#options.clock.now())) return this.#options.onDropped();
      const patch = { count, lastTimestamp: toTime(lastMs) };
      void this.#send(() => this.#options.objects.mergePatch({ apiVersion: "v1", kind: "Event", namespace, name }, patch));
    });
    this.#cancels.add(cancel);
  }

  #create(
    { namespace, name }: { readonly namespace: string; readonly name: string },
    owner: OwnerReference,
    what: { readonly reason: string; readonly type: string; readonly message: string },
    nowMs: number,
  ): Promise<unknown> {
    const { apiVersion, kind, uid } = owner;
    const at = toTime(nowMs);
    return this.#options.objects.create({
      apiVersion: "v1",
      kind: "Event",
      metadata: { name, namespace },
      involvedObject: { apiVersion, kind, namespace, name: owner.name, uid },
      ...what,
      count: 1,
      firstTimestamp: at,
      lastTimestamp: at,
      source: { component: "meshctl-sidecar-injector" },
      reportingComponent: "meshctl-sidecar-injector",
      reportingInstance: this.#options.instance,
    });
  }

  /** Nobody waits for an event, and a pod starts without one. */
  async #send(write: () => Promise<unknown>): Promise<void> {
    try {
      await write();
      this.#trouble = undefined;
    } catch (error) {
      const { code, message } = fromThrown(error);
      this.#options.onDropped();
      if (this.#trouble !== message) this.#options.log.warn({ status: code }, `can't write events: ${message}`);
      this.#trouble = message;
    }
  }

  #takeToken(nowMs: number): boolean {
    // A clock that was set back takes none away.
    const elapsedMs = Math.max(0, nowMs - this.#refilledMs);
    this.#tokens = Math.min(BURST, this.#tokens + (elapsedMs / 1000) * PER_SECOND);
    this.#refilledMs = nowMs;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}

/** As metav1.Time: whole seconds. */
function toTime(timeMs: number): string {
  return new Date(timeMs).toISOString().replace(/\.\d+Z$/, "Z");
}
