// What Istio's metrics remember of a peer and of a service behind it, so that the data path finds a label set without
// spelling it out.
import { ClusterName } from "../../xds/names.ts";
import { peerLabels } from "./istio-labels.ts";
import type { HttpSeries, Labels, MessageSeries, Reporter, ServiceFacts, TcpSeries } from "./istio-labels.ts";
import type { ConnectionInfo } from "./stream-info.ts";
import { namespaceOfSpiffeId, parseWorkload, UNKNOWN_WORKLOAD } from "./workload-facts.ts";
import type { WorkloadFacts } from "./workload-facts.ts";

const UNKNOWN = "unknown";

/** Both ends of the traffic with one peer. */
export class PeerNode {
  readonly source: WorkloadFacts;
  readonly destination: WorkloadFacts;
  readonly security: "mutual_tls" | "none" | "unknown";
  /** By cluster name, or by cluster and host name where no cluster describes the service. */
  readonly services = new Map<string, ServiceNode>();

  constructor(source: WorkloadFacts, destination: WorkloadFacts, security: "mutual_tls" | "none" | "unknown") {
    this.source = source;
    this.destination = destination;
    this.security = security;
  }

  /**
   * Of a client's sidecar. The security policy is `unknown`, as Istio has it: only the server's side can tell.
   *
   * @param principal URI SAN of the upstream host; empty without mTLS.
   * @param workload the endpoint's metadata string; empty where it has none.
   */
  static upstream(own: WorkloadFacts, principal: string, workload: string): PeerNode {
    const peer = workload === "" ? UNKNOWN_WORKLOAD : parseWorkload(workload);
    if (principal === "") return new PeerNode({ ...own, principal: UNKNOWN }, peer, "unknown");
    return new PeerNode(own, { ...peer, principal, namespace: knownOr(peer.namespace, principal) }, "unknown");
  }

  /** Of a server's sidecar; `found` are names by the client's address. */
  static downstream(own: WorkloadFacts, connection: ConnectionInfo, found: WorkloadFacts | undefined): PeerNode {
    const peer = found ?? UNKNOWN_WORKLOAD;
    const principal = connection.peer?.uri ?? "";
    if (connection.peer === undefined) return new PeerNode(peer, { ...own, principal: UNKNOWN }, "none");
    const source = { ...peer, principal: principal || UNKNOWN, namespace: knownOr(peer.namespace, principal) };
    return new PeerNode(source, { ...own, principal: connection.localUri || own.principal }, "mutual_tls");
  }
}

function knownOr(namespace: string, principal: string): string {
  return namespace === UNKNOWN ? (namespaceOfSpiffeId(principal) ?? UNKNOWN) : namespace;
}

/** A service as one peer uses it, and the series of everything that came of it. */
export class ServiceNode {
  readonly service: ServiceFacts;
  readonly labels: Labels;
  readonly security: string;
  /** By response flag, gRPC status and response code as one number. */
  readonly http = new Map<number, HttpSeries>();
  /** Messages of gRPC calls that go on, by response code. */
  readonly messages = new Map<number, MessageSeries>();
  /** By response flag. */
  readonly tcp = new Map<string, TcpSeries>();

  constructor(reporter: Reporter, peer: PeerNode, service: ServiceFacts | undefined, clusterName: string, host: string) {
    this.service = service ?? undescribedService(reporter, peer, clusterName, host);
    this.labels = peerLabels(reporter, peer.source, peer.destination, this.service);
    this.security = peer.security;
  }

  isOf(service: ServiceFacts): boolean {
    const own = this.service;
    return own === service || (own.host === service.host && own.name === service.name && own.namespace === service.namespace);
  }
}

/** A service that no cluster describes: the Host header tells what the client meant, the cluster's name where it went. */
function undescribedService(reporter: Reporter, peer: PeerNode, clusterName: string, host: string): ServiceFacts {
  const passedIn = clusterName === ClusterName.inboundPassthroughV4 || clusterName === ClusterName.inboundPassthroughV6;
  return {
    host: host === "" ? UNKNOWN : host.toLowerCase(),
    // Istio has one name for both address families.
    name: passedIn ? "InboundPassthroughCluster" : clusterName || UNKNOWN,
    namespace: reporter === "destination" ? peer.destination.namespace : UNKNOWN,
  };
}
