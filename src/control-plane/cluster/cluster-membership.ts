// The controller as one of several replicas in a cluster: the connection that they share it by, and which of them leads.
import type { Clock } from "../../common/clock.ts";
import type { Logger } from "../../common/log.ts";
import type { ClusterConnection } from "../../kube/cluster-connection.ts";
import { LeaseElection } from "../../kube/lease.ts";
import { CONTROLLER_LEASE } from "../../manifests/install/controller-permissions.ts";
import { INSTALLATION_LABEL } from "../../manifests/install/installation-label.ts";

export interface ClusterOptions {
  /** Closed by the source that reads from it. */
  readonly connection: ClusterConnection;
  /** This replica's own name, unlike any other's: the pod's. */
  readonly replica: string;
}

/** Stands for election only once started. */
export function createElection({ connection, replica }: ClusterOptions, namespace: string, clock: Clock, log: Logger): LeaseElection {
  const election = new LeaseElection({
    ...{ connection, clock, namespace, name: CONTROLLER_LEASE, identity: replica },
    labels: { [INSTALLATION_LABEL]: namespace },
    onTrouble: ({ code, message }) => {
      const advice = code === 403 ? `; allow the controller to get, create and update Leases in ${namespace}` : "";
      log.warn(`can't stand for election by Lease ${namespace}/${CONTROLLER_LEASE}: ${message}${advice}`);
    },
  });
  election.onChange((isLeader) => log.info({ replica }, isLeader ? "leads: writes statuses and trust bundles" : "leads no more"));
  return election;
}
