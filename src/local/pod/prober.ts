// A container's startup, readiness and liveness over time, from probe attempts.
import type { Probe } from "../../manifests/kube-objects.ts";
import { attemptProbe, type ProbeTarget } from "./probe-attempt.ts";

/** Until the first success, attempts come faster than periodSeconds: a local mesh is waited for by a person. */
const EAGER_INTERVAL_MS = 100;

interface Probes {
  readonly startup?: Probe;
  readonly readiness?: Probe;
  readonly liveness?: Probe;
}

export interface ProberCallbacks {
  readonly onChange: () => void;
  /** A startup or liveness probe has failed too often: the container must be restarted. */
  readonly onUnhealthy: (why: string) => void;
}

/** Watches one run of a container; made anew at each start. */
export class Prober {
  readonly #probes: Probes;
  readonly #target: ProbeTarget;
  readonly #callbacks: ProberCallbacks;
  readonly #timers = new Map<string, NodeJS.Timeout>();
  /** Told once, when the startup probe has succeeded. */
  onceStarted: () => void = () => undefined;
  #stopped = false;
  #started = false;
  #ready = false;
  #message: string | undefined;

  constructor(probes: Probes, target: ProbeTarget, callbacks: ProberCallbacks) {
    this.#probes = probes;
    this.#target = target;
    this.#callbacks = callbacks;
  }

  /** The startup probe has succeeded, or there is none. */
  get started(): boolean {
    return this.#started;
  }

  get ready(): boolean {
    return this.#ready;
  }

  /** Why it isn't started or ready. */
  get message(): string | undefined {
    return this.#message;
  }

  start(): void {
    const { startup } = this.#probes;
    if (startup === undefined) return this.#onStarted();
    const failureThreshold = startup.failureThreshold ?? 3;
    let failures = 0;
    const firstAttempt = performance.now();
    const periodMs = (startup.periodSeconds ?? 10) * 1000;
    this.#schedule("startup", (startup.initialDelaySeconds ?? 0) * 1000, async () => {
      const why = await attemptProbe(startup, this.#target);
      if (this.#stopped) return undefined;
      if (why === undefined) {
        this.#onStarted();
        return undefined;
      }
      this.#setMessage(why);
      // Eager attempts don't count: the threshold means time.
      failures = Math.floor((performance.now() - firstAttempt) / periodMs);
      if (failures >= failureThreshold) {
        this.#callbacks.onUnhealthy(`startup probe: ${why}`);
        return undefined;
      }
      return Math.min(EAGER_INTERVAL_MS, periodMs);
    });
  }

  stop(): void {
    this.#stopped = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }

  #onStarted(): void {
    this.#started = true;
    this.onceStarted();
    const { readiness, liveness } = this.#probes;
    if (readiness === undefined) this.#setReady(true, undefined);
    else this.#watchReadiness(readiness);
    if (liveness !== undefined) this.#watchLiveness(liveness);
    this.#callbacks.onChange();
  }

  #watchReadiness(probe: Probe): void {
    const periodMs = (probe.periodSeconds ?? 10) * 1000;
    let successes = 0;
    let failures = 0;
    this.#schedule("readiness", (probe.initialDelaySeconds ?? 0) * 1000, async () => {
      const why = await attemptProbe(probe, this.#target);
      if (this.#stopped) return undefined;
      successes = why === undefined ? successes + 1 : 0;
      failures = why === undefined ? 0 : failures + 1;
      if (successes >= (probe.successThreshold ?? 1)) this.#setReady(true, undefined);
      else if (!this.#ready || failures >= (probe.failureThreshold ?? 3)) this.#setReady(false, why);
      return this.#ready ? periodMs : Math.min(EAGER_INTERVAL_MS, periodMs);
    });
  }

  #watchLiveness(probe: Probe): void {
    const periodMs = (probe.periodSeconds ?? 10) * 1000;
    let failures = 0;
    this.#schedule("liveness", Math.max((probe.initialDelaySeconds ?? 0) * 1000, periodMs), async () => {
      const why = await attemptProbe(probe, this.#target);
      if (this.#stopped) return undefined;
      failures = why === undefined ? 0 : failures + 1;
      if (failures < (probe.failureThreshold ?? 3)) return periodMs;
      this.#callbacks.onUnhealthy(`liveness probe: ${why ?? ""}`);
      return undefined;
    });
  }

  /** Runs the attempt after the delay, then again after as many milliseconds as it answers; undefined ends it. */
  #schedule(name: string, delayMs: number, attempt: () => Promise<number | undefined>): void {
    const run = async (): Promise<void> => {
      const nextMs = await attempt();
      if (nextMs !== undefined && !this.#stopped)
        this.#timers.set(
          name,
          setTimeout(() => void run(), nextMs),
        );
    };
    this.#timers.set(
      name,
      setTimeout(() => void run(), delayMs),
    );
  }

  #setMessage(message: string | undefined): void {
    if (message === this.#message) return;
    this.#message = message;
    this.#callbacks.onChange();
  }

  #setReady(ready: boolean, message: string | undefined): void {
    if (ready === this.#ready && message === this.#message) return;
    this.#ready = ready;
    this.#message = message;
    this.#callbacks.onChange();
  }
}
