// One open watch of the API server double.
import type { ServerResponse } from "node:http";
import type { ApiResource } from "./api-resources.ts";
import type { ApiFailure } from "./api-status.ts";
import type { StoredObject, StoreEvent } from "./object-store.ts";

export class Watcher {
  readonly resource: ApiResource;
  readonly #response: ServerResponse;
  readonly #apiVersion: string;
  readonly #namespace: string | undefined;
  readonly #wantsBookmarks: boolean;
  readonly #isSelected: (object: StoredObject) => boolean;

  constructor(
    response: ServerResponse,
    resource: ApiResource,
    version: string,
    namespace: string | undefined,
    wantsBookmarks: boolean,
    isSelected: (object: StoredObject) => boolean,
  ) {
    this.resource = resource;
    this.#response = response;
    this.#apiVersion = [resource.group, version].filter((each) => each !== "").join("/");
    this.#namespace = namespace;
    this.#wantsBookmarks = wantsBookmarks;
    this.#isSelected = isSelected;
    response.writeHead(200, { "content-type": "application/json" });
    // The header alone says that the watch has begun, as a real server does.
    response.flushHeaders();
  }

  tell(event: StoreEvent): void {
    if (event.plural !== `${this.resource.group}/${this.resource.plural}`) return;
    if (this.#namespace !== undefined && event.object.metadata.namespace !== this.#namespace) return;
    // A label that changes counts as it is now: who loses it isn't told as deleted, unlike on a real server.
    if (!this.#isSelected(event.object)) return;
    const object = { ...event.object, apiVersion: this.#apiVersion, kind: this.resource.kind };
    this.write(JSON.stringify({ type: event.type, object }));
  }

  bookmark(version: number): void {
    if (!this.#wantsBookmarks) return;
    const object = { kind: this.resource.kind, apiVersion: this.#apiVersion, metadata: { resourceVersion: String(version) } };
    this.write(JSON.stringify({ type: "BOOKMARK", object }));
  }

  fail(failure: ApiFailure): void {
    this.write(JSON.stringify({ type: "ERROR", object: failure.toStatus() }));
    this.end();
  }

  write(line: string): void {
    this.#response.write(`${line}\n`);
  }

  end(): void {
    this.#response.end();
  }
}
