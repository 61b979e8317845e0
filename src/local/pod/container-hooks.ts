// A container's postStart and preStop, as kubelet runs them.
import type { Container, LifecycleHandler } from "../../manifests/kube-objects.ts";
import { attemptProbe, type ProbeTarget } from "./probe-attempt.ts";

// Kubernetes bounds postStart by nothing but the container's end.
const POST_START_MS = 120_000;
/** Kubernetes leaves a container this much of its grace period, whatever preStop took. */
const LEAST_GRACE_MS = 2000;

export interface HookContext {
  /** Undefined where the pod has no network yet. */
  readonly target: () => ProbeTarget | undefined;
  readonly onFailed: (which: "postStart" | "preStop", why: string) => void;
}

export class ContainerHooks {
  readonly #lifecycle: Container["lifecycle"];
  readonly #context: HookContext;
  readonly #started = Promise.withResolvers<void>();

  constructor(lifecycle: Container["lifecycle"], context: HookContext) {
    this.#lifecycle = lifecycle;
    this.#context = context;
    if (lifecycle?.postStart === undefined) this.#started.resolve();
  }

  /** Resolves when postStart has first succeeded. */
  get started(): Promise<void> {
    return this.#started.promise;
  }

  /** To be called at each start. */
  afterStart(): void {
    const handler = this.#lifecycle?.postStart;
    if (handler === undefined) return;
    void this.#run(handler, POST_START_MS).then((why) => {
      if (why === undefined) this.#started.resolve();
      else this.#context.onFailed("postStart", why);
    });
  }

  /** @returns what is left of the grace period. */
  async beforeStop(graceMs: number): Promise<number> {
    const handler = this.#lifecycle?.preStop;
    // Nothing waits any more for what has not begun.
    this.#started.resolve();
    if (handler === undefined) return graceMs;
    const startedAt = performance.now();
    const why = await this.#run(handler, graceMs);
    if (why !== undefined) this.#context.onFailed("preStop", why);
    return Math.max(LEAST_GRACE_MS, graceMs - (performance.now() - startedAt));
  }

  async #run(handler: LifecycleHandler, limitMs: number): Promise<string | undefined> {
    const target = this.#context.target();
    // The longest that a timer can wait.
    const timeoutMs = Math.min(limitMs, 2 ** 31 - 1);
    if (handler.sleep !== undefined) {
      await new Promise((resolve) => setTimeout(resolve, Math.min(handler.sleep!.seconds * 1000, timeoutMs)));
      return undefined;
    }
    return target === undefined ? "the pod has no network" : attemptProbe({ ...handler, timeoutSeconds: timeoutMs / 1000 }, target);
  }
}
