// All objects of a kind as they are at one moment, fetched in pages.
import { ApiError, fromThrown } from "./api-error.ts";
import type { ClusterConnection } from "./cluster-connection.ts";
import { getJson } from "./get-json.ts";
import type { GetOptions } from "./get-json.ts";
import { collectionPath, completeObject } from "./resource-kind.ts";
import type { KubeObject, ResourceKind } from "./resource-kind.ts";

export interface Listing {
  readonly objects: readonly KubeObject[];
  /** Of the list as a whole: where a watch goes on from. */
  readonly resourceVersion: string;
  /** The API version that the server has. */
  readonly version: string;
}

export interface ListOptions extends GetOptions {
  /** Such as `metadata.name=x`: where only one object may be read. */
  readonly fieldSelector?: string | undefined;
  /** Of this namespace alone. */
  readonly namespace?: string | undefined;
}

/** client-go's default. */
const PAGE_SIZE = 500;

/** @returns undefined when the server has no such kind. @throws ApiError */
export async function listPages(connection: ClusterConnection, kind: ResourceKind, options: ListOptions): Promise<Listing | undefined> {
  for (const version of kind.versions) {
    try {
      return await listVersion(connection, kind, version, options);
    } catch (error) {
      if (fromThrown(error).code !== 404) throw error;
    }
  }
  return undefined;
}

async function listVersion(connection: ClusterConnection, kind: ResourceKind, version: string, options: ListOptions): Promise<Listing> {
  try {
    return await listFrom(connection, kind, version, PAGE_SIZE, options);
  } catch (error) {
    // The rest of the list has expired while we read: the server was slow. All at once it can't.
    if (fromThrown(error).code !== 410) throw error;
    return listFrom(connection, kind, version, undefined, options);
  }
}

async function listFrom(
  connection: ClusterConnection,
  kind: ResourceKind,
  version: string,
  limit: number | undefined,
  options: ListOptions,
): Promise<Listing> {
  const objects: KubeObject[] = [];
  let next: string | undefined;
  for (;;) {
    const page = (await getJson(
      connection,
      collectionPath(kind, version, options.namespace),
      { limit, continue: next, fieldSelector: options.fieldSelector },
      options,
    )) as {
      metadata?: { resourceVersion?: unknown; continue?: unknown };
      items?: unknown;
    };
    const { resourceVersion, continue: token } = page.metadata ?? {};
    if (typeof resourceVersion !== "string") throw new ApiError(0, "", `${connection.server} answers with something that is no list`);
    // Go writes an empty list as null.
    for (const item of Array.isArray(page.items) ? page.items : []) objects.push(completeObject(kind, version, item));
    if (typeof token !== "string" || token === "") return { objects, resourceVersion, version };
    next = token;
  }
}
