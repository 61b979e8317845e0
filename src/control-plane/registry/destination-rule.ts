// Which DestinationRule a client obeys for a service: its own namespace's, else the service's (if exported), else the
// root namespace's; rules for the same host in one namespace are merged, oldest first.
import type { ClientTls, ConnectionPool, Subset, TrafficPolicy } from "../../mesh-api/destination-rule.ts";
import type { DestinationRuleObject } from "../ingest/mesh-object.ts";
import { hostPatterns, isVisible } from "./host-name.ts";
import type { MeshService, MeshSnapshot } from "./mesh-snapshot.ts";

export interface EffectiveRule {
  readonly name: string;
  readonly namespace: string;
  readonly trafficPolicy: TrafficPolicy | undefined;
  readonly subsets: readonly Subset[];
}

/** The part of a traffic policy that holds for one port. */
export interface PortPolicy {
  readonly loadBalancer: TrafficPolicy["loadBalancer"];
  readonly connectionPool: ConnectionPool | undefined;
  readonly tls: ClientTls | undefined;
}

export function effectiveRule(snapshot: MeshSnapshot, clientNamespace: string, service: MeshService): EffectiveRule | undefined {
  const namespaces = [...new Set([clientNamespace, service.namespace, snapshot.settings.rootNamespace])];
  for (const namespace of namespaces) {
    for (const pattern of hostPatterns(service.hostname)) {
      const rules = (snapshot.destinationRules.get(pattern) ?? []).filter(
        (each) => each.meta.namespace === namespace && isVisible(each.spec.exportTo, namespace, clientNamespace),
      );
      if (rules.length > 0) return merge(rules);
    }
  }
  return undefined;
}

function merge(rules: readonly DestinationRuleObject[]): EffectiveRule | undefined {
  const [first] = rules;
  if (first === undefined) return undefined;
  const subsets = new Map<string, Subset>();
  for (const rule of rules) for (const each of rule.spec.subsets ?? []) if (!subsets.has(each.name)) subsets.set(each.name, each);
  return {
    name: first.meta.name,
    namespace: first.meta.namespace,
    trafficPolicy: rules.map((each) => each.spec.trafficPolicy).find((each) => each !== undefined),
    subsets: [...subsets.values()],
  };
}

/**
 * A subset's policy overrides the rule's field by field; then settings of a port replace whole fields. Istio's order:
 * rule, subset, each with its own port settings applied last.
 */
export function portPolicy(rule: EffectiveRule | undefined, subset: Subset | undefined, port: number): PortPolicy {
  const general = atPort(rule?.trafficPolicy, port);
  const own = atPort(subset?.trafficPolicy, port);
  return {
    loadBalancer: own.loadBalancer ?? general.loadBalancer,
    connectionPool: own.connectionPool ?? general.connectionPool,
    tls: own.tls ?? general.tls,
  };
}

function atPort(policy: TrafficPolicy | undefined, port: number): PortPolicy {
  const setting = policy?.portLevelSettings?.find((each) => each.port.number === port);
  // portLevelSettings replace the whole policy for that port: what they leave out falls to the default, not to the rule.
  const from = setting ?? policy;
  return { loadBalancer: from?.loadBalancer, connectionPool: from?.connectionPool, tls: from?.tls };
}
