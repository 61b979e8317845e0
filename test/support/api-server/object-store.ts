// What the API server double keeps: objects by kind and name under one growing resource version, and the history of
// changes that watches resume from.
import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import type { ApiResource } from "./api-resources.ts";
import { ApiFailure } from "./api-status.ts";

export interface StoredObject {
  readonly metadata: Readonly<Record<string, unknown>> & {
    readonly name: string;
    readonly namespace?: string;
    readonly uid: string;
    readonly resourceVersion: string;
  };
  readonly [field: string]: unknown;
}

export interface StoreEvent {
  readonly version: number;
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly plural: string;
  readonly object: StoredObject;
}

export interface Preconditions {
  readonly uid?: string;
  readonly resourceVersion?: string;
}

type Draft = Record<string, unknown>;

export class ObjectStore {
  #objects = new Map<string, StoredObject>();
  #history: StoreEvent[] = [];
  #version = 1000;
  #oldest = 1000;
  /** Called after every change. */
  onEvent: (event: StoreEvent) => void = () => undefined;

  get version(): number {
    return this.#version;
  }

  /** In order of namespace and name, as etcd keeps them. */
  list(resource: ApiResource, namespace: string | undefined): StoredObject[] {
    const prefix = `${keyOf(resource, namespace, "")}`;
    return [...this.#objects]
      .filter(([key]) => (namespace === undefined ? key.startsWith(`${resource.group}/${resource.plural}/`) : key.startsWith(prefix)))
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, object]) => object);
  }

  get(resource: ApiResource, namespace: string | undefined, name: string): StoredObject {
    const object = this.#objects.get(keyOf(resource, namespace, name));
    if (object === undefined) throw new ApiFailure(404, "NotFound", `${resource.plural} "${name}" not found`);
    return object;
  }

  create(resource: ApiResource, namespace: string | undefined, body: Draft): StoredObject {
    const metadata = { ...(body["metadata"] as Draft | undefined) };
    if (metadata["name"] === undefined && typeof metadata["generateName"] === "string")
      metadata["name"] = `${metadata["generateName"]}${randomUUID().slice(0, 5)}`;
    const name = metadata["name"];
    if (typeof name !== "string" || name === "") throw new ApiFailure(422, "Invalid", "metadata.name: Required value");
    if (this.#objects.has(keyOf(resource, namespace, name)))
      throw new ApiFailure(409, "AlreadyExists", `${resource.plural} "${name}" already exists`);
    // The client's word on its age counts here, unlike a real server's: tests need a creation order.
    const created = metadata["creationTimestamp"] ?? "2026-01-01T00:00:00Z";
    const draft = { ...body, metadata: { ...metadata, uid: randomUUID(), creationTimestamp: created, generation: 1 } };
    return this.#store("ADDED", resource, namespace, name, draft);
  }

  /** An apply that names a uid means an object that is there. */
  createByApply(resource: ApiResource, namespace: string | undefined, body: Draft): StoredObject {
    const { uid } = (body["metadata"] ?? {}) as { readonly uid?: string };
    if (uid !== undefined)
      throw new ApiFailure(409, "Conflict", `uid mismatch: the provided object specified uid ${uid}, and no existing object was found`);
    return this.create(resource, namespace, body);
  }

  /** @param part what may change: everything but the status, or the status alone. */
  update(resource: ApiResource, namespace: string | undefined, name: string, body: Draft, part: "object" | "status"): StoredObject {
    const old = this.get(resource, namespace, name);
    const metadata = (body["metadata"] ?? {}) as Draft;
    const given = metadata["resourceVersion"];
    if (given !== undefined && given !== old.metadata.resourceVersion) {
      const advice = "the object has been modified; please apply your changes to the latest version and try again";
      throw new ApiFailure(409, "Conflict", `Operation cannot be fulfilled on ${resource.plural} "${name}": ${advice}`);
    }
    if (metadata["uid"] !== undefined && metadata["uid"] !== old.metadata.uid)
      throw new ApiFailure(409, "Conflict", `Precondition failed: the UID is ${old.metadata.uid}`);
    const kept = { name, uid: old.metadata.uid, creationTimestamp: old.metadata["creationTimestamp"] };
    const draft: Draft =
      part === "status"
        ? { ...old, status: body["status"] }
        : { ...body, metadata: { ...metadata, ...kept }, ...("status" in old ? { status: old["status"] } : {}) };
    const isSame = isDeepStrictEqual({ ...draft, metadata: { ...(draft["metadata"] as Draft), ...versionOf(old) } }, { ...old });
    return isSame ? old : this.#store("MODIFIED", resource, namespace, name, draft);
  }

  delete(resource: ApiResource, namespace: string | undefined, name: string, { uid, resourceVersion }: Preconditions = {}): StoredObject {
    const old = this.get(resource, namespace, name);
    if (
      (uid ?? old.metadata.uid) !== old.metadata.uid ||
      (resourceVersion ?? old.metadata.resourceVersion) !== old.metadata.resourceVersion
    )
      throw new ApiFailure(409, "Conflict", "Precondition failed");
    this.#objects.delete(keyOf(resource, namespace, name));
    return this.#record("DELETED", resource, { ...old, metadata: { ...old.metadata, resourceVersion: String(++this.#version) } });
  }

  /** Runs a change; with `isDry` nothing of it stays, or is told. */
  tentatively(isDry: boolean, change: () => StoredObject): StoredObject {
    if (!isDry) return change();
    const [objects, history, version, { onEvent }] = [new Map(this.#objects), [...this.#history], this.#version, this];
    this.onEvent = () => undefined;
    try {
      return change();
    } finally {
      this.#objects = objects;
      this.#history = history;
      this.#version = version;
      this.onEvent = onEvent;
    }
  }

  /** Everything after `version`; undefined when that is forgotten already. */
  since(version: number, resource: ApiResource): StoreEvent[] | undefined {
    if (version < this.#oldest) return undefined;
    return this.#history.filter((each) => each.version > version && each.plural === `${resource.group}/${resource.plural}`);
  }

  /** Forgets the history, as etcd's compaction does. */
  compact(): void {
    this.#version++;
    this.#oldest = this.#version;
    this.#history = [];
  }

  #store(type: "ADDED" | "MODIFIED", resource: ApiResource, namespace: string | undefined, name: string, draft: Draft): StoredObject {
    const metadata = { ...(draft["metadata"] as Draft), ...(namespace === undefined ? {} : { namespace }) };
    const object = { ...draft, metadata: { ...metadata, resourceVersion: String(++this.#version) } } as unknown as StoredObject;
    this.#objects.set(keyOf(resource, namespace, name), object);
    return this.#record(type, resource, object);
  }

  #record(type: StoreEvent["type"], resource: ApiResource, object: StoredObject): StoredObject {
    const event = { version: this.#version, type, plural: `${resource.group}/${resource.plural}`, object };
    this.#history.push(event);
    this.onEvent(event);
    return object;
  }
}

function keyOf(resource: ApiResource, namespace: string | undefined, name: string): string {
  return `${resource.group}/${resource.plural}/${resource.namespaced ? (namespace ?? "") : ""}/${name}`;
}

function versionOf(object: StoredObject): Draft {
  const { resourceVersion, generation } = object.metadata as Draft;
  return { resourceVersion, ...(generation === undefined ? {} : { generation }) };
}
