// Keeps as many pods of each workload running as the YAML asks for: starts, scales, rolls over to a changed template
// (new pods first, old ones leave when the new are ready), ends what is no longer wanted.
import type { Pod } from "../pod/pod.ts";
import type { DesiredWorkload } from "./desired-pods.ts";

/** Time for every sidecar to hear that a pod leaves, before its app is told to stop. */
const LEAVING_MS = 500;

export interface PodSetOptions {
  readonly createPod: (workload: DesiredWorkload) => Pod;
  readonly onGone: (pod: Pod) => void;
}

export class PodSet {
  readonly #options: PodSetOptions;
  readonly #pods = new Map<string, Pod[]>();
  #stopping: Promise<unknown> | undefined;

  constructor(options: PodSetOptions) {
    this.#options = options;
  }

  /** All pods, those that are leaving too, oldest first. */
  get pods(): readonly Pod[] {
    return [...this.#pods.values()].flat();
  }

  /** Does at once what can be done; to be called again whenever a pod changed. */
  reconcile(workloads: readonly DesiredWorkload[]): void {
    if (this.#stopping !== undefined) return;
    const wanted = new Map(workloads.map((workload) => [workload.key, workload]));
    for (const [key, pods] of this.#pods) {
      if (!wanted.has(key)) for (const pod of pods) this.#retire(key, pod);
    }
    for (const workload of workloads) this.#reconcileOne(workload);
  }

  #reconcileOne(workload: DesiredWorkload): void {
    const pods = (this.#pods.get(workload.key) ?? []).filter((pod) => !pod.isTerminating);
    const current = pods.filter((pod) => pod.templateHash === workload.templateHash);
    const outdated = pods.filter((pod) => pod.templateHash !== workload.templateHash);
    for (let missing = workload.replicas - current.length; missing > 0; missing--) {
      const pod = this.#options.createPod(workload);
      this.#pods.set(workload.key, [...(this.#pods.get(workload.key) ?? []), pod]);
      pod.start();
    }
    const surplus = current.length - workload.replicas;
    if (surplus > 0) {
      const leaving = [...current.filter((pod) => !pod.isReady), ...current.filter((pod) => pod.isReady).reverse()].slice(0, surplus);
      for (const pod of leaving) this.#retire(workload.key, pod);
    }
    const ready = current.filter((pod) => pod.isReady).length;
    for (const pod of outdated) if (!pod.isReady || ready >= workload.replicas) this.#retire(workload.key, pod);
  }

  #retire(key: string, pod: Pod): void {
    if (pod.isTerminating) return;
    pod.beginTermination();
    void (async () => {
      await new Promise((resolve) => setTimeout(resolve, LEAVING_MS));
      await pod.stop(Infinity);
      this.#pods.set(
        key,
        (this.#pods.get(key) ?? []).filter((each) => each !== pod),
      );
      if (this.#pods.get(key)?.length === 0) this.#pods.delete(key);
      this.#options.onGone(pod);
    })();
  }

  /** Ends all pods; nothing is started any more. */
  stopAll(longestGraceMs: number): Promise<unknown> {
    this.#stopping ??= Promise.all(this.pods.map((pod) => pod.stop(longestGraceMs)));
    return this.#stopping;
  }
}
