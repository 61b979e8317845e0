// What the controller may do: list and follow the kinds that it reads in all namespaces, have tokens checked, and write what
// is its own, by name. Creating can't be limited to a name.
import { MESH_CONFIG_MAP } from "../../mesh-api/mesh-config.ts";
import { MESH_KINDS } from "../../mesh-api/mesh-kinds.ts";
import type { MeshKind } from "../../mesh-api/mesh-kinds.ts";
import { MESH_RESOURCES } from "../crd/mesh-resources.ts";
import { ROOT_CERTIFICATE_CONFIG_MAP } from "../injected-containers.ts";
import { INJECTOR_CONFIGURATION, VALIDATOR_CONFIGURATION } from "./webhook-configurations.ts";

export interface PolicyRule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
  readonly resourceNames?: readonly string[];
}

/** In the mesh's namespace: the CA's key. */
export const AUTHORITY_SECRET = "meshctl-ca";
/** In the mesh's namespace: which replica writes. */
export const CONTROLLER_LEASE = "meshctl-controller";

const FOLLOW = ["list", "watch"] as const;

export function clusterRules(): PolicyRule[] {
  const byGroup = Map.groupBy(Object.keys(MESH_KINDS) as MeshKind[], (kind) => MESH_KINDS[kind].group);
  return [
    { apiGroups: [""], resources: ["services", "pods", "namespaces", "nodes", "serviceaccounts"], verbs: FOLLOW },
    { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs: FOLLOW },
    ...[...byGroup].flatMap(([group, kinds]) => {
      const plurals = kinds.map((kind) => MESH_RESOURCES[kind].plural);
      return [
        { apiGroups: [group], resources: plurals, verbs: FOLLOW },
        // Says what is wrong with them.
        { apiGroups: [group], resources: plurals.map((each) => `${each}/status`), verbs: ["patch"] },
      ];
    }),
    { apiGroups: ["authentication.k8s.io"], resources: ["tokenreviews"], verbs: ["create"] },
    ...owned("", "configmaps", ROOT_CERTIFICATE_CONFIG_MAP, [...FOLLOW, "update"]),
    ...webhookRules(),
  ];
}

/** Owns the caBundle, asks for namespaces that are new, and tells what became of pods. */
function webhookRules(): PolicyRule[] {
  const configuration = (resource: string, name: string): PolicyRule => ({
    apiGroups: ["admissionregistration.k8s.io"],
    resources: [resource],
    resourceNames: [name],
    verbs: [...FOLLOW, "patch"],
  });
  return [
    configuration("mutatingwebhookconfigurations", INJECTOR_CONFIGURATION),
    configuration("validatingwebhookconfigurations", VALIDATOR_CONFIGURATION),
    { apiGroups: [""], resources: ["namespaces"], verbs: ["get"] },
    { apiGroups: [""], resources: ["events"], verbs: ["create", "patch"] },
  ];
}

/** In the mesh's namespace only. */
export function namespaceRules(): PolicyRule[] {
  return [
    { apiGroups: [""], resources: ["configmaps"], resourceNames: [MESH_CONFIG_MAP], verbs: FOLLOW },
    ...owned("", "secrets", AUTHORITY_SECRET, ["get"]),
    ...owned("coordination.k8s.io", "leases", CONTROLLER_LEASE, ["get", "update"]),
  ];
}

function owned(group: string, resource: string, name: string, verbs: readonly string[]): PolicyRule[] {
  const of = { apiGroups: [group], resources: [resource] };
  return [
    { ...of, verbs: ["create"] },
    { ...of, resourceNames: [name], verbs },
  ];
}
