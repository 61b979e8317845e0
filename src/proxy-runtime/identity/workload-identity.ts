// The sidecar's own certificate: asked for at start, renewed at half its life, handed on as the secrets "default" and
// "ROOTCA". What was good last stays until something better is there.
import { createPrivateKey } from "node:crypto";
import type { X509Certificate } from "node:crypto";
import type { RequestCertificate } from "../../ca/client/create-certificate-client.ts";
import { createKeyAndRequest } from "../../ca/client/csr.ts";
import { mergeBundles, toIssuedChain } from "../../ca/client/trust-bundle.ts";
import { Backoff } from "../../common/backoff.ts";
import type { Clock } from "../../common/clock.ts";
import type { SecretConfig } from "../config/tls-config.ts";

export const CERTIFICATE_SECRET = "default";
export const ROOTS_SECRET = "ROOTCA";

export interface WorkloadIdentityOptions {
  readonly spiffeId: string;
  /** Trusted roots as the pod was given them, PEM. */
  readonly rootsPem: string;
  readonly requestCertificate: RequestCertificate;
  /** Wished lifetime in seconds; 0 leaves it to the CA. */
  readonly ttlS: number;
  readonly clock: Clock;
  /** All secrets, at the first certificate and at each change. */
  readonly onSecrets: (secrets: readonly SecretConfig[]) => void;
  readonly log: (level: "info" | "warn" | "error", message: string) => void;
  /** Uniform in [0, 1). */
  readonly random?: () => number;
}

// Istio's SECRET_GRACE_PERIOD_RATIO and its jitter: sidecars that started together renew apart.
const GRACE_RATIO = 0.5;
const GRACE_JITTER = 0.01;
// A machine that slept must notice that time went on: timers don't.
const MAX_WAIT_MS = 60_000;
const SHORT_OF_LIFE = 0.1;
// A CA that is about to expire itself gives ever shorter lives; it must not be asked in a tight loop.
const MIN_RENEWAL_MS = 1000;

interface Held {
  readonly chainPem: string;
  readonly keyPem: string;
  readonly notAfterMs: number;
  readonly lifetimeMs: number;
  readonly renewAtMs: number;
}

export class WorkloadIdentity {
  readonly #options: WorkloadIdentityOptions;
  readonly #random: () => number;
  readonly #backoff: Backoff;
  readonly #ready = Promise.withResolvers<void>();
  #givenRootsPem: string;
  #learntRootsPem = "";
  #held: Held | undefined;
  #warned: "no" | "short" | "expired" = "no";
  #retryAtMs = 0;
  #cancelTimer: () => void = () => {};
  #cancelExpiry: () => void = () => {};
  #isStopped = false;

  constructor(options: WorkloadIdentityOptions) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
    this.#backoff = new Backoff({ initialMs: 500, maxMs: 30_000, random: this.#random });
    this.#givenRootsPem = options.rootsPem;
  }

  /** Resolves with the first certificate; stays pending while the CA gives none. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  start(): void {
    void this.#check();
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelTimer();
    this.#cancelExpiry();
  }

  /** The pod's root file changed. */
  setRoots(rootsPem: string): void {
    this.#givenRootsPem = rootsPem;
    if (this.#held !== undefined) this.#publish();
  }

  /** What is served now; empty before the first certificate. */
  get secrets(): readonly SecretConfig[] {
    if (this.#held === undefined) return [];
    const { chainPem, keyPem } = this.#held;
    return [
      { kind: "certificate", name: CERTIFICATE_SECRET, chainPem, keyPem },
      { kind: "validation", name: ROOTS_SECRET, rootsPem: mergeBundles(this.#givenRootsPem, this.#learntRootsPem), sanMatches: [] },
    ];
  }

  async #check(): Promise<void> {
    const nowMs = this.#options.clock.now();
    if (nowMs >= Math.max(this.#held?.renewAtMs ?? 0, this.#retryAtMs)) await this.#renew();
    this.#warnWhenShort();
    if (this.#isStopped) return;
    const dueMs = Math.max(this.#held?.renewAtMs ?? 0, this.#retryAtMs) - this.#options.clock.now();
    this.#cancelTimer = this.#options.clock.after(Math.min(Math.max(dueMs, 0), MAX_WAIT_MS), () => void this.#check());
  }

  async #renew(): Promise<void> {
    const { spiffeId, requestCertificate, ttlS, clock, log } = this.#options;
    try {
      const { keyPem, csrPem } = createKeyAndRequest(spiffeId);
      const answer = await requestCertificate(csrPem, ttlS);
      if (this.#isStopped) return;
      this.#hold(keyPem, answer);
      this.#backoff.reset();
      this.#retryAtMs = 0;
      this.#warned = "no";
      this.#publish();
      log("info", `certificate for ${spiffeId} is valid until ${new Date(this.#held!.notAfterMs).toISOString()}`);
      this.#ready.resolve();
    } catch (error) {
      if (this.#isStopped) return;
      const delayMs = this.#backoff.next();
      this.#retryAtMs = clock.now() + delayMs;
      const kept = this.#held === undefined ? "there is none yet" : "the one at hand stays in use";
      log("warn", `no certificate from the CA: ${(error as Error).message}; ${kept}, next try in ${Math.ceil(delayMs / 1000)} s`);
    }
  }

  #hold(keyPem: string, answer: readonly string[]): void {
    const { spiffeId, clock, log } = this.#options;
    const { leaf, chainPem, rootsPem } = toIssuedChain(answer);
    if (!hasKey(leaf, keyPem)) throw new Error("the CA's certificate is for another key");
    const nowMs = clock.now();
    const notAfterMs = leaf.validToDate.getTime();
    if (notAfterMs <= nowMs) throw new Error(`the CA's certificate is expired since ${leaf.validToDate.toISOString()}`);
    // The CA goes by the token; peers will believe the certificate, so a difference is worth a line.
    if (!(leaf.subjectAltName ?? "").split(", ").includes(`URI:${spiffeId}`)) {
      log("warn", `the CA's certificate is for ${leaf.subjectAltName}, not for ${spiffeId}`);
    }
    const lifetimeMs = notAfterMs - nowMs;
    const grace = GRACE_RATIO + (2 * this.#random() - 1) * GRACE_JITTER;
    this.#learntRootsPem = rootsPem;
    const renewAtMs = Math.max(notAfterMs - lifetimeMs * grace, nowMs + MIN_RENEWAL_MS);
    this.#held = { chainPem, keyPem, notAfterMs, lifetimeMs, renewAtMs };
    this.#cancelExpiry();
    this.#watchExpiry();
  }

  #publish(): void {
    this.#options.onSecrets(this.secrets);
  }

  /** Apart from the tries to renew: one of those may take its time. */
  #watchExpiry(): void {
    const leftMs = this.#held!.notAfterMs - this.#options.clock.now();
    if (leftMs <= 0) return this.#warnWhenShort();
    this.#cancelExpiry = this.#options.clock.after(Math.min(leftMs, MAX_WAIT_MS), () => this.#watchExpiry());
  }

  /** Once per certificate for each of the two states. */
  #warnWhenShort(): void {
    if (this.#held === undefined) return;
    const { notAfterMs, lifetimeMs } = this.#held;
    const leftMs = notAfterMs - this.#options.clock.now();
    const until = new Date(notAfterMs).toISOString();
    if (leftMs <= 0 && this.#warned !== "expired") {
      this.#warned = "expired";
      this.#options.log("error", `certificate expired at ${until}: peers will refuse this workload until the CA gives a new one`);
    } else if (leftMs > 0 && leftMs < lifetimeMs * SHORT_OF_LIFE && this.#warned === "no") {
      this.#warned = "short";
      this.#options.log("warn", `certificate expires at ${until}, in ${Math.ceil(leftMs / 1000)} s, and could not be renewed yet`);
    }
  }
}

function hasKey(leaf: X509Certificate, keyPem: string): boolean {
  return leaf.checkPrivateKey(createPrivateKey(keyPem));
}
