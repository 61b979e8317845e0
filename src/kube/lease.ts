// Which of several replicas leads, by a Lease of coordination.k8s.io/v1 that the leader renews and the others watch for
// going stale: client-go's leaderelection, except that a leader who lost it stands for election again.
// Clocks of machines are never compared: a Lease is stale when it hasn't been seen to change for as long as it says.
import type { Clock } from "../common/clock.ts";
import { fromThrown } from "./api-error.ts";
import type { ApiError } from "./api-error.ts";
import type { ClusterConnection } from "./cluster-connection.ts";
import { KubeObjects } from "./objects.ts";
import { pause } from "./pause.ts";
import type { KubeObject } from "./resource-kind.ts";

/** Whether this replica does what only one may do. */
export interface Leadership {
  readonly current: boolean;
  /** Called with each change, not with what is now. Returns what ends it. */
  onChange(listener: (isLeader: boolean) => void): () => void;
}

export interface LeaseElectionOptions {
  readonly connection: ClusterConnection;
  readonly clock: Clock;
  readonly namespace: string;
  readonly name: string;
  /** This replica's own, unlike any other's. */
  readonly identity: string;
  /** Of a Lease that is created. */
  readonly labels: Readonly<Record<string, string>>;
  /** Another reason than before why the Lease can't be had or kept. */
  readonly onTrouble: (error: ApiError) => void;
  /** Uniform in [0, 1). */
  readonly random?: () => number;
}

// client-go's defaults (LeaseDuration, RenewDeadline, RetryPeriod) and its JitterFactor.
const DURATION_S = 15;
const RENEW_DEADLINE_MS = 10_000;
const RETRY_MS = 2_000;
const JITTER = 1.2;
/** So that two tries fit before the deadline. */
const REQUEST_TIMEOUT_MS = RENEW_DEADLINE_MS / 2;
const LEASE = { apiVersion: "coordination.k8s.io/v1", kind: "Lease" };

interface LeaseSpec {
  readonly holderIdentity?: string;
  readonly leaseDurationSeconds?: number;
  readonly acquireTime?: string;
  readonly renewTime?: string;
  readonly leaseTransitions?: number;
}

export class LeaseElection implements Leadership {
  readonly #options: LeaseElectionOptions;
  readonly #objects: KubeObjects;
  readonly #random: () => number;
  readonly #listeners = new Set<(isLeader: boolean) => void>();
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #isLeader = false;
  #seen: { readonly lease: KubeObject; readonly changedMs: number } | undefined;
  #trouble: string | undefined;
  #cancelDeadline: () => void = () => undefined;

  constructor(options: LeaseElectionOptions) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
    const { connection, clock } = options;
    this.#objects = new KubeObjects({ connection, clock, timeoutMs: REQUEST_TIMEOUT_MS, signal: this.#stopping.signal });
  }

  get current(): boolean {
    return this.#isLeader;
  }

  /** Who leads, as far as this replica has seen. */
  get holder(): string | undefined {
    const holder = this.#seen === undefined ? "" : (specOf(this.#seen.lease).holderIdentity ?? "");
    return holder === "" ? undefined : holder;
  }

  onChange(listener: (isLeader: boolean) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Leads no more, and gives the Lease up, so that another needn't wait until it is stale. */
  async stop(): Promise<void> {
    const wasLeader = this.#isLeader;
    this.#lead(false);
    this.#stopping.abort();
    await this.#running;
    if (wasLeader) await this.#release();
  }

  async #run(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const startedMs = this.#options.clock.now();
      const isOurs = await this.#tryOnce();
      if (this.#stopping.signal.aborted) return;
      if (isOurs === true) this.#renewed(startedMs);
      // Somebody else has it. A request that failed says nothing: the deadline decides.
      if (isOurs === false) this.#lead(false);
      const delayMs = this.#isLeader ? RETRY_MS : RETRY_MS * (1 + this.#random() * JITTER);
      await pause(this.#options.clock, delayMs, this.#stopping.signal);
    }
  }

  /** @returns whether the Lease is ours now; undefined: it can't be told. */
  async #tryOnce(): Promise<boolean | undefined> {
    try {
      const isOurs = await this.#acquireOrRenew();
      this.#trouble = undefined;
      return isOurs;
    } catch (thrown) {
      const error = fromThrown(thrown);
      // Somebody was faster; the next try sees who.
      if (error.code === 409) return undefined;
      if (!this.#stopping.signal.aborted && this.#trouble !== error.message) this.#options.onTrouble(error);
      this.#trouble = error.message;
      return undefined;
    }
  }

  async #acquireOrRenew(): Promise<boolean> {
    const { clock, namespace, name, identity, labels } = this.#options;
    const found = await this.#objects.get({ ...LEASE, namespace, name });
    const nowMs = clock.now();
    if (found === undefined) {
      const spec = { ...this.#held(), acquireTime: microTime(nowMs), leaseTransitions: 0 };
      this.#observe(await this.#objects.create({ ...LEASE, metadata: { name, namespace, labels }, spec }));
      return true;
    }
    this.#observe(found);
    const spec = specOf(found);
    const isOurs = spec.holderIdentity === identity;
    if (!isOurs && this.#isValid(spec)) return false;
    const kept = isOurs
      ? { acquireTime: spec.acquireTime, leaseTransitions: spec.leaseTransitions ?? 0 }
      : { acquireTime: microTime(nowMs), leaseTransitions: (spec.leaseTransitions ?? 0) + 1 };
    this.#observe(await this.#objects.replace({ ...found, ...LEASE, spec: { ...spec, ...kept, ...this.#held() } }));
    return true;
  }

  #held(): LeaseSpec {
    const { clock, identity } = this.#options;
    return { holderIdentity: identity, leaseDurationSeconds: DURATION_S, renewTime: microTime(clock.now()) };
  }

  #isValid({ holderIdentity, leaseDurationSeconds = DURATION_S }: LeaseSpec): boolean {
    if (holderIdentity === undefined || holderIdentity === "") return false;
    const nowMs = this.#options.clock.now();
    // The clock was set back: it counts anew from here, instead of for as long as that was.
    if (nowMs < this.#seen!.changedMs) this.#seen = { ...this.#seen!, changedMs: nowMs };
    return this.#seen!.changedMs + leaseDurationSeconds * 1000 > nowMs;
  }

  #observe(lease: KubeObject): void {
    if (this.#seen?.lease.metadata.resourceVersion === lease.metadata.resourceVersion) return;
    this.#seen = { lease, changedMs: this.#options.clock.now() };
  }

  /** @param startedMs before the renewal was sent: others count from when they see it, which is later. */
  #renewed(startedMs: number): void {
    const { clock } = this.#options;
    this.#cancelDeadline();
    // Also when the clock was set meanwhile, in either direction.
    const leftMs = Math.min(Math.max(startedMs + RENEW_DEADLINE_MS - clock.now(), 0), RENEW_DEADLINE_MS);
    this.#cancelDeadline = clock.after(leftMs, () => this.#lead(false));
    this.#lead(true);
  }

  #lead(isLeader: boolean): void {
    if (!isLeader) this.#cancelDeadline();
    if (this.#isLeader === isLeader) return;
    this.#isLeader = isLeader;
    for (const each of this.#listeners) each(isLeader);
  }

  async #release(): Promise<void> {
    const { connection, clock, namespace, name, identity } = this.#options;
    const objects = new KubeObjects({ connection, clock, timeoutMs: REQUEST_TIMEOUT_MS });
    try {
      const found = await objects.get({ ...LEASE, namespace, name });
      if (found === undefined || specOf(found).holderIdentity !== identity) return;
      const now = microTime(clock.now());
      const spec = { ...specOf(found), holderIdentity: "", leaseDurationSeconds: 1, renewTime: now, acquireTime: now };
      await objects.replace({ ...found, ...LEASE, spec });
    } catch (error) {
      // It goes stale by itself.
      this.#options.onTrouble(fromThrown(error));
    }
  }
}

function specOf({ spec }: KubeObject): LeaseSpec {
  return spec ?? {};
}

/** MicroTime: the API server takes exactly six digits. */
function microTime(ms: number): string {
  return new Date(ms).toISOString().replace("Z", "000Z");
}
