// The folder of objects that the controller watches: one file per object, replaced whole, written only when it differs.
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { KubeObject } from "../../manifests/kube-objects.ts";
import { writeFileAtomically } from "../mesh-lifetime.ts";

export class ObjectsFolder {
  readonly #folder: string;
  readonly #written = new Map<string, string>();

  constructor(folder: string) {
    this.#folder = folder;
    for (const name of readdirSync(folder)) rmSync(join(folder, name));
  }

  /** Makes the folder say exactly this. */
  write(objects: readonly KubeObject[]): void {
    const wanted = new Map<string, string>();
    for (const object of objects) {
      const { namespace = "default", name = "" } = object.metadata;
      wanted.set(`${object.kind.toLowerCase()}_${namespace}_${name}.json`, `${JSON.stringify(object, null, 1)}\n`);
    }
    for (const [file, text] of wanted) {
      if (this.#written.get(file) !== text) writeFileAtomically(join(this.#folder, file), text);
      this.#written.set(file, text);
    }
    for (const file of [...this.#written.keys()]) {
      if (wanted.has(file)) continue;
      rmSync(join(this.#folder, file), { force: true });
      this.#written.delete(file);
    }
  }
}
