// A kind of objects as the API server's paths name it.

export interface ResourceKind {
  /** Empty: the core group. */
  readonly group: string;
  /** Those we can read, the preferred one first: the server may have any of them. */
  readonly versions: readonly string[];
  readonly kind: string;
  readonly plural: string;
}

/** An object as the server sent it. */
export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly resourceVersion?: string;
  };
  readonly [field: string]: unknown;
}

/** `/api/v1`, `/apis/apps/v1`. */
export function groupPath(apiVersion: string): string {
  return apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
}

/** Path of all objects of a kind, in all namespaces or in one. */
export function collectionPath(apiVersion: string, plural: string, namespace?: string): string {
  const within = namespace === undefined ? "" : `/namespaces/${encodeURIComponent(namespace)}`;
  return `${groupPath(apiVersion)}${within}/${plural}`;
}

export function apiVersionOf(kind: ResourceKind, version: string): string {
  return kind.group === "" ? version : `${kind.group}/${version}`;
}

/** `virtualservices.networking.istio.io`: as kubectl and permissions name it. */
export function resourceName(kind: ResourceKind): string {
  return kind.group === "" ? kind.plural : `${kind.plural}.${kind.group}`;
}

/**
 * The object as the kind's own: items of a list tell neither apiVersion nor kind, and nobody here reads who manages
 * which field, often half of the object.
 */
export function completeObject(kind: ResourceKind, version: string, item: unknown): KubeObject {
  const { metadata, ...rest } = item as KubeObject & { metadata: { managedFields?: unknown } };
  const { managedFields: _managedFields, ...kept } = metadata;
  return { ...rest, apiVersion: apiVersionOf(kind, version), kind: kind.kind, metadata: kept };
}
