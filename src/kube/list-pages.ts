// All objects of a list as they are at one moment, fetched in pages: of a path, or of a kind in the first of its versions
// that the server has.
import { ApiError, fromThrown } from "./api-error.ts";
import type { ClusterConnection } from "./cluster-connection.ts";
import { getJson } from "./get-json.ts";
import type { GetOptions } from "./get-json.ts";
import { apiVersionOf, collectionPath, completeObject } from "./resource-kind.ts";
import type { KubeObject, ResourceKind } from "./resource-kind.ts";

/** undefined: all of them. */
export interface Selectors {
  /** Such as `metadata.name=x`: where only one object may be read. */
  readonly fieldSelector?: string | undefined;
  readonly labelSelector?: string | undefined;
}

export interface PagedList {
  readonly objects: KubeObject[];
  /** Of the list as a whole: where a watch goes on from. */
  readonly resourceVersion: string;
}

export interface Listing extends PagedList {
  /** The API version that the server has. */
  readonly version: string;
}

export interface KindListOptions extends GetOptions, Selectors {
  /** Of this namespace alone. */
  readonly namespace?: string | undefined;
}

/** client-go's default. */
const PAGE_SIZE = 500;

/** @returns undefined when the server has no such kind. @throws ApiError */
export async function listKind(connection: ClusterConnection, kind: ResourceKind, options: KindListOptions): Promise<Listing | undefined> {
  for (const version of kind.versions) {
    const path = collectionPath(apiVersionOf(kind, version), kind.plural, options.namespace);
    try {
      return { ...(await listPages(connection, path, options, (item) => completeObject(kind, version, item), options)), version };
    } catch (error) {
      if (fromThrown(error).code !== 404) throw error;
    }
  }
  return undefined;
}

/**
 * @param complete makes an object of an item: items of built-in kinds tell neither apiVersion nor kind.
 * @param options the timeout is each page's own.
 * @throws ApiError
 */
export async function listPages(
  connection: ClusterConnection,
  path: string,
  { fieldSelector, labelSelector }: Selectors,
  complete: (item: unknown) => KubeObject,
  options: GetOptions,
): Promise<PagedList> {
  const pages = async (limit: number | undefined): Promise<PagedList> => {
    const objects: KubeObject[] = [];
    for (let next: string | undefined; ;) {
      const page = (await getJson(connection, path, { limit, continue: next, fieldSelector, labelSelector }, options)) as {
        metadata?: { resourceVersion?: unknown; continue?: unknown };
        items?: unknown;
      };
      const { resourceVersion, continue: token } = page.metadata ?? {};
      if (typeof resourceVersion !== "string") throw new ApiError(0, "", `${connection.server} answers with something that is no list`);
      // Go writes an empty list as null.
      for (const item of Array.isArray(page.items) ? page.items : []) objects.push(complete(item));
      if (typeof token !== "string" || token === "") return { objects, resourceVersion };
      next = token;
    }
  };
  try {
    return await pages(PAGE_SIZE);
  } catch (error) {
    // The rest of the list has expired while we read: the server was slow. All at once it can't.
    if (fromThrown(error).code !== 410) throw error;
    return pages(undefined);
  }
}
