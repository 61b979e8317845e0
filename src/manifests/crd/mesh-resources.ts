// What the API server and kubectl call the kinds of the mesh API, and the columns of `kubectl get`. Istio's names.
import type { MeshKind } from "../../mesh-api/mesh-kinds.ts";

export interface PrinterColumn {
  readonly name: string;
  readonly type: "string" | "date";
  readonly description: string;
  readonly jsonPath: string;
}

export interface MeshResource {
  readonly plural: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  /** First lines of `kubectl explain`. */
  readonly description: string;
  /** Between NAME and AGE. */
  readonly columns: readonly PrinterColumn[];
}

export const MESH_RESOURCES: Readonly<Record<MeshKind, MeshResource>> = {
  VirtualService: {
    plural: "virtualservices",
    shortNames: ["vs"],
    categories: ["istio-io", "networking-istio-io"],
    description: "A VirtualService says where requests and connections to a host go: by path, header, weight or server name.",
    columns: [
      { name: "Gateways", type: "string", description: "Gateways that take the routes", jsonPath: ".spec.gateways" },
      { name: "Hosts", type: "string", description: "Hosts that are routed", jsonPath: ".spec.hosts" },
    ],
  },
  DestinationRule: {
    plural: "destinationrules",
    shortNames: ["dr"],
    categories: ["istio-io", "networking-istio-io"],
    description: "A DestinationRule says how clients connect to a host once it is chosen: balancing, limits, TLS; and names its subsets.",
    columns: [{ name: "Host", type: "string", description: "The host that this is for", jsonPath: ".spec.host" }],
  },
  PeerAuthentication: {
    plural: "peerauthentications",
    shortNames: ["pa"],
    categories: ["istio-io", "security-istio-io"],
    description: "A PeerAuthentication says whether workloads demand mutual TLS of those who connect to them.",
    columns: [{ name: "Mode", type: "string", description: "Whether mutual TLS is demanded", jsonPath: ".spec.mtls.mode" }],
  },
};
