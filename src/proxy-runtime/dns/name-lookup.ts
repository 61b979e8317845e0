// Which addresses a queried name has in the mesh, in any of the spellings that a pod may use.

export interface NameScope {
  /** Of the pod. */
  readonly namespace: string;
  /** `cluster.local` */
  readonly clusterDomain: string;
}

/** Addresses of a known name; `absent`: certainly no name at all; `unknown`: somebody else may know. */
export type Lookup = readonly string[] | "absent" | "unknown";

/**
 * @param name lower case, without a last dot.
 * @param names full host names of the mesh, maybe `*.suffix` (NDS).
 */
export function lookUpName(name: string, names: ReadonlyMap<string, readonly string[]>, scope: NameScope): Lookup {
  return find(name, names, scope) ?? (isExpansionOfKnown(name, names, scope) ? "absent" : "unknown");
}

function find(
  name: string,
  names: ReadonlyMap<string, readonly string[]>,
  { namespace, clusterDomain }: NameScope,
): readonly string[] | undefined {
  const exact = names.get(name);
  if (exact !== undefined) return exact;
  if (!name.includes(".")) return names.get(`${name}.${namespace}.svc.${clusterDomain}`);
  // `svc.ns.svc` and `svc.ns`; what doesn't have that shape finds nothing.
  return names.get(`${name}.${clusterDomain}`) ?? names.get(`${name}.svc.${clusterDomain}`) ?? wildcard(name, names);
}

/** `*.example.com` stands for every name below it; the longest one wins. */
function wildcard(name: string, names: ReadonlyMap<string, readonly string[]>): readonly string[] | undefined {
  for (let dot = name.indexOf("."); dot >= 0; dot = name.indexOf(".", dot + 1)) {
    const found = names.get(`*${name.slice(dot)}`);
    if (found !== undefined) return found;
  }
  return undefined;
}

/**
 * A resolver with `ndots:5` tries `web.shop.svc.cluster.local` under every search domain before it tries the name itself.
 * Such a name is known not to be, so nobody else need be asked. Shorter forms are not taken for expansions:
 * `web.shop` under `shop.svc.cluster.local` is also how the pod `web` of a headless Service `shop` is called.
 */
function isExpansionOfKnown(name: string, names: ReadonlyMap<string, readonly string[]>, { namespace, clusterDomain }: NameScope): boolean {
  for (const domain of [`.${namespace}.svc.${clusterDomain}`, `.svc.${clusterDomain}`, `.${clusterDomain}`]) {
    if (!name.endsWith(domain)) continue;
    const asked = name.slice(0, -domain.length);
    if (!asked.includes(".")) continue;
    if (names.has(asked) || names.has(`${asked}.${clusterDomain}`) || wildcard(asked, names) !== undefined) return true;
  }
  return false;
}
