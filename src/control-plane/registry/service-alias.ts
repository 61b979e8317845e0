// Services of type ExternalName that name another Service of the mesh: second names for it, as in Istio since 1.21. Those
// that name something outside are DNS's affair alone.
import type { ServiceObject } from "../ingest/mesh-object.ts";
import { visibilityOf } from "./host-name.ts";
import type { ServiceAlias } from "./mesh-snapshot.ts";

/** An alias may name an alias; longer chains are a circle, or a mistake. */
const MAX_STEPS = 10;

/**
 * By the host name of the Service that is meant in the end, in order of the aliases' own names.
 * @param objects of any type.
 */
export function aliasesByHost(objects: readonly ServiceObject[], clusterDomain: string): Map<string, ServiceAlias[]> {
  const hostOf = ({ meta }: ServiceObject): string => `${meta.name}.${meta.namespace}.svc.${clusterDomain}`;
  const byHost = new Map(objects.map((each) => [hostOf(each), each]));
  const aliases = new Map<string, ServiceAlias[]>();
  for (const object of objects) {
    const target = endOf(object, byHost);
    if (target === undefined || target === object) continue;
    const host = hostOf(target);
    const { name, namespace, annotations } = object.meta;
    const alias: ServiceAlias = { hostname: hostOf(object), name, namespace, exportTo: visibilityOf(annotations) };
    aliases.set(host, [...(aliases.get(host) ?? []), alias]);
  }
  for (const list of aliases.values()) list.sort((a, b) => (a.hostname < b.hostname ? -1 : 1));
  return aliases;
}

/** The Service behind a chain of aliases; itself without any, undefined where the chain leaves the mesh or has no end. */
function endOf(object: ServiceObject, byHost: ReadonlyMap<string, ServiceObject>): ServiceObject | undefined {
  let current: ServiceObject | undefined = object;
  for (let step = 0; step < MAX_STEPS && current !== undefined; step += 1) {
    if (current.externalName === undefined) return current;
    // DNS names may end in a dot.
    current = byHost.get(current.externalName.toLowerCase().replace(/\.$/, ""));
  }
  return undefined;
}
