// What a controller does in its cluster beside serving sidecars and answering reviews: marks bad objects in their status,
// and says in its log what the cluster has that the mesh can't use.
import type { Clock } from "../../common/clock.ts";
import type { Logger } from "../../common/log.ts";
import type { ClusterConnection } from "../../kube/cluster-connection.ts";
import type { Leadership } from "../../kube/lease.ts";
import { KubeObjects } from "../../kube/objects.ts";
import type { SourceChange } from "../sources/source.ts";
import { ClusterFacts } from "./cluster-facts.ts";
import { ObjectStatus } from "./object-status.ts";
import { UnseenAnnotations } from "./unseen-annotations.ts";
import { WebhookMetrics } from "./webhook-metrics.ts";

export class ClusterDuties {
  readonly metrics = new WebhookMetrics();
  readonly facts: ClusterFacts;
  readonly #status: ObjectStatus;
  readonly #annotations: UnseenAnnotations;
  #leadership: Leadership | undefined;

  constructor(connection: ClusterConnection, clock: Clock, log: Logger) {
    this.facts = new ClusterFacts({ connection, clock, log });
    this.#annotations = new UnseenAnnotations(log);
    this.#status = new ObjectStatus({
      objects: new KubeObjects({ connection, clock }),
      isLeader: () => this.#leadership?.current === true,
      clock,
      log,
      onWrite: () => this.metrics.statusWrites++,
    });
  }

  start(): void {
    this.facts.start();
  }

  /** What the cluster's source has heard of. */
  apply(changes: readonly SourceChange[]): void {
    this.#status.apply(changes);
    this.#annotations.apply(changes);
  }

  /** Until then, and without, nothing is written. */
  followLeadership(leadership: Leadership): void {
    this.#leadership = leadership;
  }

  stop(): void {
    this.facts.stop();
    this.#status.stop();
  }
}
