// The CustomResourceDefinitions of the mesh API's kinds, as an API server takes them.
import { MESH_KINDS } from "../../mesh-api/mesh-kinds.ts";
import type { MeshKind } from "../../mesh-api/mesh-kinds.ts";
import type { KubeObject } from "../kube-objects.ts";
import { MESH_RESOURCES } from "./mesh-resources.ts";
import type { MeshResource, PrinterColumn } from "./mesh-resources.ts";
import type { StructuralSchema } from "./open-api-schema.ts";
import { toStructuralSchema } from "./structural-schema.ts";

export interface CustomResourceVersion {
  readonly name: string;
  readonly served: boolean;
  readonly storage: boolean;
  readonly schema: { readonly openAPIV3Schema: StructuralSchema };
  readonly subresources: { readonly status: Readonly<Record<string, never>> };
  readonly additionalPrinterColumns: readonly PrinterColumn[];
}

export interface CustomResourceDefinition extends KubeObject {
  readonly spec: {
    readonly group: string;
    readonly scope: "Namespaced";
    readonly names: {
      readonly kind: string;
      readonly listKind: string;
      readonly plural: string;
      readonly singular: string;
      readonly shortNames: readonly string[];
      readonly categories: readonly string[];
    };
    readonly conversion: { readonly strategy: "None" };
    readonly versions: readonly CustomResourceVersion[];
  };
}

/** Istio's objects are the same in every version, so the first is stored and none is converted. */
export function customResourceDefinition(kind: MeshKind): CustomResourceDefinition {
  const { group, versions } = MESH_KINDS[kind];
  const resource = MESH_RESOURCES[kind];
  const { plural, shortNames, categories } = resource;
  const openAPIV3Schema = objectSchema(kind, resource);
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: "Namespaced",
      names: { kind, listKind: `${kind}List`, plural, singular: kind.toLowerCase(), shortNames, categories },
      conversion: { strategy: "None" },
      versions: versions.map((name, index) => ({
        name,
        served: true,
        storage: index === 0,
        schema: { openAPIV3Schema },
        subresources: { status: {} },
        additionalPrinterColumns: [...resource.columns, AGE],
      })),
    },
  };
}

export function customResourceDefinitions(): CustomResourceDefinition[] {
  return (Object.keys(MESH_KINDS) as MeshKind[]).map(customResourceDefinition);
}

const AGE: PrinterColumn = { name: "Age", type: "date", description: "Time since creation", jsonPath: ".metadata.creationTimestamp" };

function objectSchema(kind: MeshKind, { description }: MeshResource): StructuralSchema {
  const definition = MESH_KINDS[kind].spec;
  const spec = toStructuralSchema(definition);
  return {
    description,
    type: "object",
    properties: {
      spec: { description: `What the ${kind} asks for.`, ...spec },
      status: {
        description: "What became of it, written by the control plane.",
        type: "object",
        "x-kubernetes-preserve-unknown-fields": true,
      },
    },
    ...(definition.safeParse({}).success ? {} : { required: ["spec"] }),
  };
}
