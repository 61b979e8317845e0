// The one writer: takes valid objects, hands out immutable snapshots. A snapshot is built when somebody asks for it.
import type { MeshObject } from "../ingest/mesh-object.ts";
import type { ObjectKey } from "../ingest/raw-object.ts";
import { buildSnapshot } from "./build-snapshot.ts";
import type { MeshSettings, MeshSnapshot } from "./mesh-snapshot.ts";

export class Registry {
  readonly #settings: MeshSettings;
  readonly #objects = new Map<ObjectKey, MeshObject>();
  #version = 0;
  #snapshot: MeshSnapshot | undefined;

  constructor(settings: MeshSettings) {
    this.#settings = settings;
  }

  set(key: ObjectKey, object: MeshObject): void {
    this.#objects.set(key, object);
    this.#snapshot = undefined;
  }

  delete(key: ObjectKey): void {
    if (this.#objects.delete(key)) this.#snapshot = undefined;
  }

  get(key: ObjectKey): MeshObject | undefined {
    return this.#objects.get(key);
  }

  snapshot(): MeshSnapshot {
    this.#snapshot ??= buildSnapshot(++this.#version, this.#objects.values(), this.#settings);
    return this.#snapshot;
  }
}
