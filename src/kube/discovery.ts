// What the API server calls its kinds: `apps/v1 Deployment` is `deployments`, in namespaces. Asked once for each group
// and version, and again for a kind that wasn't there: its CRD may have come since.
import { ApiError, fromThrown } from "./api-error.ts";
import type { ClusterConnection } from "./cluster-connection.ts";
import { getJson } from "./get-json.ts";
import type { GetOptions } from "./get-json.ts";
import { groupPath } from "./resource-kind.ts";

export interface ApiKind {
  /** `v1`, `apps/v1`. */
  readonly apiVersion: string;
  readonly kind: string;
}

export interface ApiResource {
  readonly plural: string;
  readonly isNamespaced: boolean;
}

type Resources = ReadonlyMap<string, ApiResource>;

export class Discovery {
  static readonly #ofConnections = new WeakMap<ClusterConnection, Discovery>();
  readonly #connection: ClusterConnection;
  readonly #groups = new Map<string, Resources>();
  /** Requests under way, so that many objects of one kind at once ask once. */
  readonly #asked = new Map<string, Promise<Resources>>();

  private constructor(connection: ClusterConnection) {
    this.#connection = connection;
  }

  /** One for each connection. */
  static of(connection: ClusterConnection): Discovery {
    let found = Discovery.#ofConnections.get(connection);
    if (found === undefined) Discovery.#ofConnections.set(connection, (found = new Discovery(connection)));
    return found;
  }

  /** @returns undefined when the server has no such kind. @throws ApiError */
  async find({ apiVersion, kind }: ApiKind, options: GetOptions): Promise<ApiResource | undefined> {
    return this.#groups.get(apiVersion)?.get(kind) ?? (await this.#ask(apiVersion, options)).get(kind);
  }

  async #ask(apiVersion: string, options: GetOptions): Promise<Resources> {
    let asked = this.#asked.get(apiVersion);
    if (asked === undefined) {
      // It goes on when who asked first is told to stop: others wait for the same answer.
      const { signal: _signal, ...shared } = options;
      asked = this.#fetch(apiVersion, shared).finally(() => this.#asked.delete(apiVersion));
      this.#asked.set(apiVersion, asked);
    }
    const resources = await unlessAborted(asked, options.signal);
    this.#groups.set(apiVersion, resources);
    return resources;
  }

  async #fetch(apiVersion: string, options: GetOptions): Promise<Resources> {
    try {
      const answer = await getJson(this.#connection, groupPath(apiVersion), {}, options);
      return readResources(answer, this.#connection.server);
    } catch (error) {
      if (fromThrown(error).code === 404) return new Map();
      throw error;
    }
  }
}

/** @throws ApiError once `signal` is aborted. */
async function unlessAborted<T>(answer: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return answer;
  let onAbort = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(new ApiError(0, "", "it was broken off"));
    if (signal.aborted) onAbort();
    else signal.addEventListener("abort", onAbort);
  });
  try {
    return await Promise.race([answer, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

function readResources(answer: unknown, server: string): Resources {
  const { resources } = answer as { resources?: unknown };
  if (!Array.isArray(resources)) throw new ApiError(0, "", `${server} answers with something that is no list of resources`);
  const found = new Map<string, ApiResource>();
  for (const { name, kind, namespaced } of resources as { name: string; kind: string; namespaced: boolean }[]) {
    // `pods/status` and the like have kinds of their own.
    if (!name.includes("/")) found.set(kind, { plural: name, isNamespaced: namespaced });
  }
  return found;
}
