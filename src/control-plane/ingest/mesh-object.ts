// Objects after validation: what the registry is built from. Kubernetes objects are reduced to the fields that the
// mesh reads; objects of the mesh API keep their spec.
import type { MeshConfig } from "../../mesh-api/mesh-config.ts";
import type { MeshKind, MeshSpecs } from "../../mesh-api/mesh-kinds.ts";

export interface ObjectMeta {
  readonly name: string;
  readonly namespace: string;
  readonly uid?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Milliseconds since 1970; 0 when the object has none, as objects from files do. */
  readonly createdMs: number;
}

export interface ServicePortObject {
  readonly name: string;
  readonly port: number;
  /** A number, or the name of a container port. */
  readonly targetPort: number | string;
  readonly transport: "TCP" | "UDP" | "SCTP";
  readonly appProtocol: string | undefined;
}

export interface ServiceObject {
  readonly kind: "Service";
  readonly meta: ObjectMeta;
  /** Cluster IPs; empty when headless. */
  readonly addresses: readonly string[];
  readonly headless: boolean;
  /** Type ExternalName: an alias of a name outside. */
  readonly externalName: string | undefined;
  readonly selector: Readonly<Record<string, string>>;
  readonly ports: readonly ServicePortObject[];
}

export interface SliceEndpoint {
  readonly addresses: readonly string[];
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
  readonly hostname: string | undefined;
  readonly pod: { readonly name: string; readonly namespace: string } | undefined;
  readonly nodeName: string | undefined;
  readonly zone: string | undefined;
}

export interface EndpointSliceObject {
  readonly kind: "EndpointSlice";
  readonly meta: ObjectMeta;
  /** Name of the Service in the slice's namespace. */
  readonly service: string;
  readonly ports: readonly { readonly name: string; readonly port: number }[];
  readonly endpoints: readonly SliceEndpoint[];
}

export interface PodObject {
  readonly kind: "Pod";
  readonly meta: ObjectMeta;
  readonly serviceAccount: string;
  readonly addresses: readonly string[];
  readonly nodeName: string | undefined;
  readonly hostNetwork: boolean;
  /** Kind and name of the controlling owner, with a ReplicaSet's Deployment told by its name. */
  readonly owner: { readonly kind: string; readonly name: string } | undefined;
  /** Container ports by name, for Services whose targetPort is a name. */
  readonly namedPorts: Readonly<Record<string, number>>;
}

export interface ServiceAccountObject {
  readonly kind: "ServiceAccount";
  readonly meta: ObjectMeta;
}

export interface NamespaceObject {
  readonly kind: "Namespace";
  readonly meta: ObjectMeta;
}

/** Its labels say where it stands: region and zone. */
export interface NodeObject {
  readonly kind: "Node";
  readonly meta: ObjectMeta;
}

export type KubernetesObject = ServiceObject | EndpointSliceObject | PodObject | ServiceAccountObject | NamespaceObject | NodeObject;
export type KubernetesKind = KubernetesObject["kind"];

export interface MeshConfigObject<Kind extends MeshKind> {
  readonly kind: Kind;
  readonly meta: ObjectMeta;
  readonly spec: MeshSpecs[Kind];
}
export type VirtualServiceObject = MeshConfigObject<"VirtualService">;
export type DestinationRuleObject = MeshConfigObject<"DestinationRule">;
export type PeerAuthenticationObject = MeshConfigObject<"PeerAuthentication">;
export type AnyMeshConfigObject = VirtualServiceObject | DestinationRuleObject | PeerAuthenticationObject;

/** The one with the mesh's configuration; others are nothing to us. */
export interface MeshConfigMapObject {
  readonly kind: "ConfigMap";
  readonly meta: ObjectMeta;
  readonly config: MeshConfig;
}

export type MeshObject = KubernetesObject | AnyMeshConfigObject | MeshConfigMapObject;
