// A cluster as a source: one reflector for each kind, each object a part of its own. What the first lists hold is reported
// in one piece, once all of them are there; after that, what comes together is reported together.
import type { Clock } from "../../common/clock.ts";
import type { Logger } from "../../common/log.ts";
import type { ApiError } from "../../kube/api-error.ts";
import type { ClusterConnection } from "../../kube/cluster-connection.ts";
import { Reflector } from "../../kube/reflector.ts";
import { resourceName } from "../../kube/resource-kind.ts";
import type { KubeObject, ResourceKind } from "../../kube/resource-kind.ts";
import { MESH_CONFIG_MAP } from "../../mesh-api/mesh-config.ts";
import { objectKey } from "../ingest/raw-object.ts";
import type { Origin, RawObject } from "../ingest/raw-object.ts";
import { CONFIG_MAPS, WATCHED_KINDS } from "./kubernetes-kinds.ts";
import { SourceStopped } from "./source.ts";
import type { Source, SourceChange } from "./source.ts";
import { trimPod } from "./trim-pod.ts";

/** A rollout changes Pods and EndpointSlices by the dozen. */
const BATCH_MS = 10;
/** What problems name instead of a file; objects have no lines. */
const ORIGIN: Origin = { file: "cluster", locate: () => ({ line: 0, column: 0 }) };

export interface KubernetesSourceOptions {
  /** Closed with the source. */
  readonly connection: ClusterConnection;
  readonly clock: Clock;
  readonly log: Logger;
  /** Where the ConfigMap with the mesh's configuration is. */
  readonly rootNamespace: string;
}

export class KubernetesSource implements Source {
  readonly #options: KubernetesSourceOptions;
  readonly #reflectors: readonly Reflector[];
  /** Version of each object that has been heard of, by kind and part. */
  readonly #known = new Map<ResourceKind, Map<string, string | undefined>>();
  readonly #awaited = new Set<ResourceKind>(WATCHED_KINDS);
  readonly #troubles = new Map<ResourceKind, string>();
  #pending = new Map<string, SourceChange>();
  #cancelFlush: (() => void) | undefined;
  #onChange: ((changes: readonly SourceChange[]) => void) | undefined;
  #onSynced: () => void = () => undefined;
  #onStopped: () => void = () => undefined;

  constructor(options: KubernetesSourceOptions) {
    this.#options = options;
    const { connection, clock, rootNamespace } = options;
    this.#reflectors = WATCHED_KINDS.map((kind) => {
      this.#known.set(kind, new Map());
      return new Reflector({
        connection,
        clock,
        kind,
        ...(kind === CONFIG_MAPS ? { namespace: rootNamespace, fieldSelector: `metadata.name=${MESH_CONFIG_MAP}` } : {}),
        onReplace: (objects) => this.#replace(kind, objects),
        onChange: (type, object) => this.#change(kind, type, object),
        onTrouble: (error) => this.#trouble(kind, error),
        onRecovered: () => this.#recovered(kind),
      });
    });
  }

  async start(onChange: (changes: readonly SourceChange[]) => void): Promise<void> {
    this.#onChange = onChange;
    const synced = new Promise<void>((resolve, reject) => {
      this.#onSynced = resolve;
      this.#onStopped = () => reject(new SourceStopped());
    });
    this.#options.log.info({ server: this.#options.connection.server }, "reading the cluster");
    for (const each of this.#reflectors) each.start();
    await synced;
  }

  stop(): void {
    this.#onChange = undefined;
    this.#cancelFlush?.();
    for (const each of this.#reflectors) each.stop();
    this.#options.connection.close();
    this.#onStopped();
  }

  #replace(kind: ResourceKind, objects: readonly KubeObject[]): void {
    const known = this.#known.get(kind)!;
    const gone = new Map(known);
    for (const object of objects) {
      const raw = toRawObject(object);
      const part = objectKey(raw);
      gone.delete(part);
      const version = object.metadata.resourceVersion;
      if (known.has(part) && known.get(part) === version) continue;
      known.set(part, version);
      this.#queue(part, [raw]);
    }
    for (const part of gone.keys()) {
      known.delete(part);
      this.#queue(part, []);
    }
    if (this.#awaited.delete(kind) && this.#awaited.size === 0) {
      // Empty too: it says that there is nothing.
      this.#flush();
      this.#onSynced();
    }
  }

  #change(kind: ResourceKind, type: "changed" | "deleted", object: KubeObject): void {
    const raw = toRawObject(object);
    const part = objectKey(raw);
    if (type === "deleted") this.#known.get(kind)!.delete(part);
    else this.#known.get(kind)!.set(part, object.metadata.resourceVersion);
    this.#queue(part, type === "deleted" ? [] : [raw]);
  }

  #queue(part: string, objects: readonly RawObject[]): void {
    this.#pending.set(part, { part, objects, problems: [], readable: true });
    // The first report waits for the whole.
    if (this.#awaited.size === 0) this.#cancelFlush ??= this.#options.clock.after(BATCH_MS, () => this.#flush());
  }

  #flush(): void {
    this.#cancelFlush?.();
    this.#cancelFlush = undefined;
    const changes = [...this.#pending.values()];
    this.#pending = new Map();
    this.#onChange?.(changes);
  }

  /** A server that is away troubles all kinds alike: one line says so. */
  #trouble(kind: ResourceKind, { code, message }: ApiError): void {
    const { log } = this.#options;
    const isKnown = [...this.#troubles.values()].includes(message);
    this.#troubles.set(kind, message);
    if (isKnown) return;
    const resource = resourceName(kind);
    const remedy = code === 403 ? `; allow the controller to list and watch ${resource}` : "";
    const effect = this.#awaited.size > 0 ? "nothing is served before it can be read" : "what was read before stays in force";
    log.warn({ resource, status: code }, `can't read the cluster: ${message}${remedy}; ${effect}`);
  }

  #recovered(kind: ResourceKind): void {
    this.#troubles.delete(kind);
    if (this.#troubles.size === 0) this.#options.log.info("in step with the cluster again");
  }
}

function toRawObject(object: KubeObject): RawObject {
  const { apiVersion, kind, metadata } = object;
  return {
    apiVersion,
    kind,
    namespace: metadata.namespace ?? "",
    name: metadata.name,
    value: kind === "Pod" ? trimPod(object) : object,
    origin: ORIGIN,
  };
}
