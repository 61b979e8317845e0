// /debug/authenticationz: for every service and port that a proxy may call, what the servers demand, what the client's
// rule says, which objects decide and whom the client expects there. `meshctl tls-check` reads it.
import { formatSpiffeId } from "../../ca/client/spiffe-id.ts";
import { effectiveRule, portPolicy } from "../registry/destination-rule.ts";
import type { Endpoint, MeshService, MeshSnapshot, ServicePort } from "../registry/mesh-snapshot.ts";
import { effectiveMtls } from "../registry/peer-authentication.ts";
import type { EffectiveMtls } from "../registry/peer-authentication.ts";
import { visibleServices } from "../translate/outbound-scope.ts";
import { speaksMeshTls, subsetEndpoints } from "../translate/service-endpoints.ts";

export interface AuthenticationEntry {
  readonly host: string;
  readonly port: number;
  /** undefined: the whole service. */
  readonly subset?: string;
  readonly serverMode: "STRICT" | "PERMISSIVE" | "DISABLE";
  /** `name/namespace` of the PeerAuthentication, or `-` for the default. */
  readonly policy: string;
  /** AUTO: mutual TLS towards endpoints that have a sidecar. */
  readonly clientMode: "AUTO" | "ISTIO_MUTUAL" | "DISABLE";
  /** `name/namespace`, or `-`. */
  readonly destinationRule: string;
  readonly serverIdentities: readonly string[];
  readonly endpoints: number;
  readonly meshedEndpoints: number;
}

export function authenticationReport(snapshot: MeshSnapshot, clientNamespace: string): AuthenticationEntry[] {
  return visibleServices(snapshot, clientNamespace).flatMap((service) => {
    const rule = effectiveRule(snapshot, clientNamespace, service);
    return service.ports.flatMap((port) =>
      [undefined, ...(rule?.subsets ?? [])].map((subset) => {
        const endpoints = subsetEndpoints(service, port, subset);
        const server = serverMtls(snapshot, service, port, endpoints);
        return {
          host: service.hostname,
          port: port.port,
          ...(subset === undefined ? {} : { subset: subset.name }),
          serverMode: server.mode,
          policy: server.policy ?? "-",
          clientMode: portPolicy(rule, subset, port.port).tls?.mode ?? ("AUTO" as const),
          destinationRule: rule === undefined ? "-" : `${rule.name}/${rule.namespace}`,
          serverIdentities: service.serviceAccounts.map((each) =>
            formatSpiffeId({ trustDomain: snapshot.settings.trustDomain, namespace: service.namespace, serviceAccount: each }),
          ),
          endpoints: endpoints.length,
          meshedEndpoints: endpoints.filter((each) => speaksMeshTls(snapshot, each)).length,
        };
      }),
    );
  });
}

const STRICTNESS = { DISABLE: 0, PERMISSIVE: 1, STRICT: 2 } as const;

/** Of several workloads with different modes the strictest: it is the one that a client may fail on. */
function serverMtls(snapshot: MeshSnapshot, service: MeshService, port: ServicePort, endpoints: readonly Endpoint[]): EffectiveMtls {
  const meshed = endpoints.flatMap((each) =>
    each.workload?.hasSidecar === true ? [effectiveMtls(snapshot, each.workload, each.port)] : [],
  );
  if (meshed.length > 0) return meshed.reduce((a, b) => (STRICTNESS[b.mode] > STRICTNESS[a.mode] ? b : a));
  // Nothing there takes mutual TLS: whatever a policy says, plaintext is what works.
  if (endpoints.length > 0) return { mode: "DISABLE", policy: undefined };
  const target = typeof port.targetPort === "number" ? port.targetPort : undefined;
  return effectiveMtls(snapshot, { namespace: service.namespace, labels: service.selector }, target);
}
