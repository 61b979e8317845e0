// A running local mesh as the inspecting commands see it.
import type { CommandContext } from "./command.ts";
import { controllerAdmin, selectMesh, selectWorkload, sidecarAdmin } from "./local-mesh.ts";
import type { MeshAccess, MeshPod } from "./mesh-access.ts";
import type { PodFacts } from "./workload.ts";

export class LocalAccess implements MeshAccess {
  readonly #context: CommandContext;
  readonly #meshFlag: "name" | "mesh";

  constructor(context: CommandContext, meshFlag: "name" | "mesh") {
    this.#context = context;
    this.#meshFlag = meshFlag;
  }

  get description(): string {
    return `mesh ${selectMesh(this.#context, this.#meshFlag).name}`;
  }

  workload(argument: string): Promise<MeshPod> {
    return new Promise((resolve) => {
      const target = selectWorkload(this.#context, argument, this.#meshFlag);
      const { name, namespace } = target.pod;
      resolve({ name, namespace, admin: (port) => sidecarAdmin(target, port) });
    });
  }

  controllers(): Promise<readonly MeshPod[]> {
    return new Promise((resolve) => {
      const mesh = selectMesh(this.#context, this.#meshFlag);
      const { name = "controller", namespace = "" } = mesh.controller ?? {};
      resolve([{ name, namespace, admin: (port) => controllerAdmin(mesh, port) }]);
    });
  }

  pods(): Promise<readonly PodFacts[]> {
    return new Promise((resolve) => {
      const { namespace } = this.#context.options;
      const { pods } = selectMesh(this.#context, this.#meshFlag);
      resolve(pods.filter((pod) => namespace === undefined || pod.namespace === namespace));
    });
  }

  namespaces(): Promise<readonly string[]> {
    return new Promise((resolve) => {
      const { pods } = selectMesh(this.#context, this.#meshFlag);
      resolve([...new Set(pods.map((pod) => pod.namespace))].sort());
    });
  }

  close(): void {
    // Nothing is kept open between two questions.
  }
}
