// Host names: short to fully qualified, wildcards, and who may see what is exported.

/** `payments` in namespace shop → `payments.shop.svc.cluster.local`; a name with a dot is taken as it is. */
export function qualifyHost(host: string, namespace: string, clusterDomain: string): string {
  const name = host.toLowerCase();
  return name.includes(".") || name === "*" || name.startsWith("*") ? name : `${name}.${namespace}.svc.${clusterDomain}`;
}

/** The keys under which a host's configuration may stand, most specific first: itself, `*.b.c`, `*.c`, `*`. */
export function hostPatterns(host: string): string[] {
  const patterns = [host];
  for (let dot = host.indexOf("."); dot >= 0; dot = host.indexOf(".", dot + 1)) patterns.push(`*${host.slice(dot)}`);
  patterns.push("*");
  return patterns;
}

/** What the annotation networking.istio.io/exportTo of a Service says; empty without it. */
export function visibilityOf(annotations: Readonly<Record<string, string>>): string[] {
  const listed = (annotations["networking.istio.io/exportTo"] ?? "").split(",").map((each) => each.trim());
  return listed.filter((each) => each !== "");
}

/** exportTo: `*` everyone, `.` the object's own namespace, `~` nobody, or namespaces by name; empty means everyone. */
export function isVisible(exportTo: readonly string[] | undefined, ownNamespace: string, viewer: string): boolean {
  if (exportTo === undefined || exportTo.length === 0) return true;
  return exportTo.some((each) => each === "*" || (each === "." ? ownNamespace === viewer : each === viewer));
}
