// The kinds of the mesh API: which apiVersions are accepted and the schema of their spec.
import type { z } from "zod";
import { destinationRuleSpec } from "./destination-rule.ts";
import type { DestinationRuleSpec } from "./destination-rule.ts";
import { peerAuthenticationSpec } from "./peer-authentication.ts";
import type { PeerAuthenticationSpec } from "./peer-authentication.ts";
import { virtualServiceSpec } from "./virtual-service.ts";
import type { VirtualServiceSpec } from "./virtual-service.ts";

export interface MeshSpecs {
  readonly VirtualService: VirtualServiceSpec;
  readonly DestinationRule: DestinationRuleSpec;
  readonly PeerAuthentication: PeerAuthenticationSpec;
}
export type MeshKind = keyof MeshSpecs;

export interface MeshKindDefinition {
  readonly group: string;
  readonly versions: readonly string[];
  readonly spec: z.ZodType;
}

const NETWORKING = { group: "networking.istio.io", versions: ["v1", "v1beta1", "v1alpha3"] } as const;
const SECURITY = { group: "security.istio.io", versions: ["v1", "v1beta1"] } as const;

export const MESH_KINDS: Readonly<Record<MeshKind, MeshKindDefinition>> = {
  VirtualService: { ...NETWORKING, spec: virtualServiceSpec },
  DestinationRule: { ...NETWORKING, spec: destinationRuleSpec },
  PeerAuthentication: { ...SECURITY, spec: peerAuthenticationSpec },
};

/** Kinds of Istio's groups that nothing acts on yet: saying so beats ignoring them. */
export const LATER_KINDS: ReadonlySet<string> = new Set([
  "Gateway",
  "ServiceEntry",
  "WorkloadEntry",
  "WorkloadGroup",
  "Sidecar",
  "ProxyConfig",
  "EnvoyFilter",
  "AuthorizationPolicy",
  "RequestAuthentication",
  "Telemetry",
  "WasmPlugin",
]);

export function isMeshKind(kind: string): kind is MeshKind {
  return Object.hasOwn(MESH_KINDS, kind);
}

/** True for the API groups whose kinds are ours to understand or to refuse. */
export function isMeshGroup(apiVersion: string): boolean {
  return /^[a-z]+\.istio\.io\//.test(apiVersion);
}
