// Questions to one cluster, each bounded in time and answered by a value or by why there is none: a check that needs what
// this user may not read says so, and the others go on.
import type { Clock } from "../../../common/clock.ts";
import { fromThrown, type ApiError } from "../../../kube/api-error.ts";
import type { ClusterConnection } from "../../../kube/cluster-connection.ts";
import { Discovery } from "../../../kube/discovery.ts";
import type { ApiKind, ApiResource } from "../../../kube/discovery.ts";
import { KubeObjects } from "../../../kube/objects.ts";
import type { ListOptions, ObjectName } from "../../../kube/objects.ts";
import { requestText } from "../../../kube/request-json.ts";
import type { Permission } from "../cluster-state.ts";
import { describePermission, grantCommand } from "../permission-text.ts";
import { NotGathered, type Gathered } from "../gathered.ts";

/** Of one request: a person waits. */
const TIMEOUT_MS = 10_000;

export class ClusterQuestions {
  readonly connection: ClusterConnection;
  readonly clock: Clock;
  readonly #objects: KubeObjects;

  constructor(connection: ClusterConnection, clock: Clock) {
    this.connection = connection;
    this.clock = clock;
    this.#objects = new KubeObjects({ connection, clock, timeoutMs: TIMEOUT_MS });
  }

  /** All of a kind; none where the server has no such kind. */
  list<Kind>(kind: ApiKind, options: ListOptions = {}): Promise<Gathered<readonly Kind[]>> {
    return this.#ask("list", kind, options.namespace, async () => ((await this.#objects.list(kind, options)) ?? []) as unknown as Kind[]);
  }

  get<Kind>(name: ObjectName): Promise<Gathered<Kind | undefined>> {
    return this.#ask("get", name, name.namespace, async () => (await this.#objects.get(name)) as unknown as Kind | undefined);
  }

  /** The last lines of a container that has ended. */
  log(namespace: string, pod: string, container: string): Promise<Gathered<string>> {
    const path = `/api/v1/namespaces/${namespace}/pods/${pod}/log`;
    const request = { method: "GET", path, query: { container, tailLines: 20 } } as const;
    return this.#ask("get", { apiVersion: "v1", kind: "Pod" }, namespace, () =>
      requestText(this.connection, request, { clock: this.clock, timeoutMs: TIMEOUT_MS }),
    );
  }

  /** May this user do that? @throws ApiError */
  async mayI({ verb, group, resource, namespace }: Permission): Promise<boolean> {
    const review = await this.#objects.create({
      apiVersion: "authorization.k8s.io/v1",
      kind: "SelfSubjectAccessReview",
      metadata: {},
      spec: { resourceAttributes: { verb, group, resource, ...(namespace === undefined ? {} : { namespace }) } },
    });
    return (review["status"] as { allowed?: unknown } | undefined)?.allowed === true;
  }

  /** How the server calls a kind. @returns undefined when it has none of it. @throws ApiError */
  resourceOf(kind: ApiKind): Promise<ApiResource | undefined> {
    return Discovery.of(this.connection).find(kind, { clock: this.clock, timeoutMs: TIMEOUT_MS });
  }

  async #ask<T>(verb: string, kind: ApiKind, namespace: string | undefined, ask: () => Promise<T>): Promise<Gathered<T>> {
    try {
      return { value: await ask() };
    } catch (error) {
      const failure = fromThrown(error);
      const resource = await this.resourceOf(kind).catch(() => undefined);
      const group = kind.apiVersion.includes("/") ? kind.apiVersion.split("/", 1)[0]! : "";
      return { missing: whyMissing(failure, { verb, group, resource: resource?.plural ?? kind.kind, namespace }) };
    }
  }
}

/** What a refusal means to who reads it. */
export function whyMissing(failure: ApiError, permission: Permission): NotGathered {
  if (failure.code !== 403) return new NotGathered(failure.message, "meshctl check    # again, once the API server answers");
  return new NotGathered(`you lack the permission to ${describePermission(permission)}`, grantCommand(permission));
}
