// What is worth knowing of a cluster beside its objects, asked at the start and from time to time: whether its Kubernetes is
// new enough, and which kinds it has that look like the mesh's and aren't read. Said in the log once.
import type { Clock } from "../../common/clock.ts";
import type { Logger } from "../../common/log.ts";
import { fromThrown } from "../../kube/api-error.ts";
import type { ClusterConnection } from "../../kube/cluster-connection.ts";
import { describeTooOld, kubernetesVersion } from "../../kube/kubernetes-version.ts";
import type { KubernetesVersion } from "../../kube/kubernetes-version.ts";
import { findUnreadKinds } from "./unread-kinds.ts";

export interface ClusterFactsOptions {
  readonly connection: ClusterConnection;
  readonly clock: Clock;
  readonly log: Logger;
}

const CHECK_MS = 600_000;
const RETRY_MS = 10_000;
const TIMEOUT_MS = 10_000;

export class ClusterFacts {
  readonly #options: ClusterFactsOptions;
  readonly #stopping = new AbortController();
  readonly #told = new Set<string>();
  #cancel: () => void = () => undefined;
  #version: KubernetesVersion | undefined;

  constructor(options: ClusterFactsOptions) {
    this.#options = options;
  }

  start(): void {
    void this.#check();
  }

  stop(): void {
    this.#stopping.abort();
    this.#cancel();
  }

  /** Why pods can't have native sidecars; undefined: they can, or nobody knows yet. */
  get noNativeSidecars(): string | undefined {
    if (this.#version?.isTooOld !== true) return undefined;
    return `${describeTooOld(this.#version)}, for native sidecars; upgrade it, or annotate the pod sidecar.istio.io/nativeSidecar: "false"`;
  }

  async #check(): Promise<void> {
    const { connection, clock, log } = this.#options;
    const options = { clock, timeoutMs: TIMEOUT_MS, signal: this.#stopping.signal };
    let delayMs = CHECK_MS;
    try {
      this.#version = await kubernetesVersion(connection, options);
      if (this.#version.isTooOld) this.#tell(`${describeTooOld(this.#version)}, for native sidecars`);
      const unread = await findUnreadKinds(connection, options);
      if (unread.length > 0)
        this.#tell(`the cluster has kinds that this mesh doesn't read; their objects have no effect in it: ${unread.join(", ")}`);
    } catch (error) {
      // The sources say more of a server that is away.
      log.debug({ error: fromThrown(error).message }, "can't ask the cluster about itself");
      delayMs = RETRY_MS;
    }
    if (!this.#stopping.signal.aborted) this.#cancel = clock.after(delayMs, () => void this.#check());
  }

  #tell(message: string): void {
    if (this.#told.has(message)) return;
    this.#told.add(message);
    this.#options.log.warn(message);
  }
}
