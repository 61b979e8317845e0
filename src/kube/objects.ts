// Objects of any kind on an API server: read, made, changed and deleted as JSON, by apiVersion and kind. What reads a
// whole kind and goes on following it is the reflector's.
import type { Clock } from "../common/clock.ts";
import { ApiError, fromThrown } from "./api-error.ts";
import type { ClusterConnection } from "./cluster-connection.ts";
import { Discovery } from "./discovery.ts";
import type { ApiKind } from "./discovery.ts";
import { listPages } from "./list-pages.ts";
import type { Selectors } from "./list-pages.ts";
import { requestJson } from "./request-json.ts";
import type { JsonRequest, RequestOptions } from "./request-json.ts";
import { collectionPath } from "./resource-kind.ts";
import type { KubeObject } from "./resource-kind.ts";

export interface ObjectName extends ApiKind {
  /** Without one: the context's namespace, else `default`. Ignored for kinds that are in none. */
  readonly namespace?: string | undefined;
  readonly name: string;
}

/** An object to be sent: what the server adds to it isn't known yet. */
export interface ObjectDraft extends ApiKind {
  readonly metadata: { readonly name?: string; readonly namespace?: string; readonly [field: string]: unknown };
  readonly [field: string]: unknown;
}

export interface WriteOptions {
  /** Who writes, in the object's managedFields. */
  readonly fieldManager?: string;
  /** The server does everything but keep it. */
  readonly dryRun?: boolean;
  /** What becomes of fields that the kind doesn't have; the server's default is `Warn`. */
  readonly fieldValidation?: "Ignore" | "Warn" | "Strict";
  /** Such as `status`. */
  readonly subresource?: string;
}

export interface ApplyOptions extends WriteOptions {
  readonly fieldManager: string;
  /** Takes fields over that others manage. */
  readonly force?: boolean;
}

export interface DeleteOptions {
  readonly propagation?: "Background" | "Foreground" | "Orphan";
  /** Only this very object, or only as it was then; else a 409. */
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly dryRun?: boolean;
}

export interface ListOptions extends Selectors {
  /** undefined: of all namespaces. */
  readonly namespace?: string | undefined;
}

export interface JsonPatchOperation {
  readonly op: "add" | "remove" | "replace" | "test";
  readonly path: string;
  readonly value?: unknown;
}

export interface KubeObjectsOptions {
  readonly connection: ClusterConnection;
  readonly clock: Clock;
  /** For each request. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** What the server wants a person to know of a request. */
  readonly onWarning?: (message: string) => void;
}

const TIMEOUT_MS = 30_000;

/** Every method throws ApiError: 404 also for a kind that the server doesn't have, unless it says otherwise. */
export class KubeObjects {
  readonly #connection: ClusterConnection;
  readonly #options: RequestOptions;

  constructor({ connection, timeoutMs = TIMEOUT_MS, ...options }: KubeObjectsOptions) {
    this.#connection = connection;
    this.#options = { ...options, timeoutMs };
  }

  /** @returns undefined when there is no such object, or no such kind. */
  async get(name: ObjectName, { subresource }: { readonly subresource?: string } = {}): Promise<KubeObject | undefined> {
    return orAbsent(async () => this.#send({ method: "GET", path: await this.#path(name, subresource) }));
  }

  /** All of a kind, in pages. @returns undefined when the server has no such kind. */
  async list(kind: ApiKind, { namespace, ...selectors }: ListOptions = {}): Promise<KubeObject[] | undefined> {
    const { apiVersion, kind: name } = kind;
    return orAbsent(async () => {
      const path = await this.#collection(kind, namespace);
      const complete = (item: unknown): KubeObject => ({ ...(item as KubeObject), apiVersion, kind: name });
      return (await listPages(this.#connection, path, selectors, complete, this.#options)).objects;
    });
  }

  /** Also for what is only answered and never kept, such as a TokenReview. @throws ApiError 409 AlreadyExists */
  async create(object: ObjectDraft, options: Omit<WriteOptions, "subresource"> = {}): Promise<KubeObject> {
    const path = await this.#collection(object, object.metadata.namespace ?? this.#connection.namespace);
    return this.#send({ method: "POST", path, query: toQuery(options), body: object });
  }

  /** Whole; with a resourceVersion only if nobody was faster. @throws ApiError 409 Conflict */
  async replace(object: ObjectDraft, options: WriteOptions = {}): Promise<KubeObject> {
    const path = await this.#path(nameOf(object), options.subresource);
    return this.#send({ method: "PUT", path, query: toQuery(options), body: object });
  }

  /** Creates it, or makes the named fields so. @throws ApiError 409 Conflict when others manage one, unless forced. */
  async serverSideApply(object: ObjectDraft, options: ApplyOptions): Promise<KubeObject> {
    const path = await this.#path(nameOf(object), options.subresource);
    const query = { ...toQuery(options), force: options.force };
    // JSON is YAML; the server knows apply patches by no other name before 1.33.
    return this.#send({ method: "PATCH", path, query, body: object, contentType: "application/apply-patch+yaml" });
  }

  /** RFC 7386: null removes a field. */
  mergePatch(name: ObjectName, patch: unknown, options: WriteOptions = {}): Promise<KubeObject> {
    return this.#patch(name, patch, "application/merge-patch+json", options);
  }

  /** RFC 6902. */
  jsonPatch(name: ObjectName, operations: readonly JsonPatchOperation[], options: WriteOptions = {}): Promise<KubeObject> {
    return this.#patch(name, operations, "application/json-patch+json", options);
  }

  /** @returns whether there was one. */
  async delete(name: ObjectName, options: DeleteOptions = {}): Promise<boolean> {
    const { propagation = "Background", uid, resourceVersion, dryRun } = options;
    const body = {
      apiVersion: "v1",
      kind: "DeleteOptions",
      propagationPolicy: propagation,
      preconditions: { uid, resourceVersion },
      ...(dryRun === true ? { dryRun: ["All"] } : {}),
    };
    return (await orAbsent(async () => this.#request({ method: "DELETE", path: await this.#path(name, undefined), body }))) !== undefined;
  }

  /** Whether objects of it are in a namespace; undefined when the server has no such kind. */
  async isNamespaced(kind: ApiKind): Promise<boolean | undefined> {
    return (await Discovery.of(this.#connection).find(kind, this.#options))?.isNamespaced;
  }

  async #patch(name: ObjectName, body: unknown, contentType: string, options: WriteOptions): Promise<KubeObject> {
    const path = await this.#path(name, options.subresource);
    return this.#send({ method: "PATCH", path, query: toQuery(options), body, contentType });
  }

  async #path(name: ObjectName, subresource: string | undefined): Promise<string> {
    const collection = await this.#collection(name, name.namespace ?? this.#connection.namespace);
    return `${collection}/${encodeURIComponent(name.name)}${subresource === undefined ? "" : `/${subresource}`}`;
  }

  async #collection(kind: ApiKind, namespace: string | undefined): Promise<string> {
    const found = await Discovery.of(this.#connection).find(kind, this.#options);
    if (found === undefined) throw new ApiError(404, "NotFound", `the server has no kind ${kind.kind} in ${kind.apiVersion}`);
    return collectionPath(kind.apiVersion, found.plural, found.isNamespaced ? namespace : undefined);
  }

  #request(request: JsonRequest): Promise<unknown> {
    return requestJson(this.#connection, request, this.#options);
  }

  async #send(request: JsonRequest): Promise<KubeObject> {
    return (await this.#request(request)) as KubeObject;
  }
}

function nameOf({ apiVersion, kind, metadata }: ObjectDraft): ObjectName {
  if (metadata.name === undefined) throw new ApiError(0, "", `a ${kind} without a name can't be changed`);
  return { apiVersion, kind, namespace: metadata.namespace, name: metadata.name };
}

function toQuery({ fieldManager, dryRun, fieldValidation }: WriteOptions): NonNullable<JsonRequest["query"]> {
  return { fieldManager, dryRun: dryRun === true ? "All" : undefined, fieldValidation };
}

async function orAbsent<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (fromThrown(error).code !== 404) throw error;
    return undefined;
  }
}
