// The ConfigMap that holds the mesh's configuration: YAML in YAML, checked like every other object of the mesh.
import { parseYamlDocuments } from "../../common/yaml.ts";
import { MESH_CONFIG_KEY, MESH_CONFIG_MAP, meshConfig } from "../../mesh-api/mesh-config.ts";
import { objectEnvelope, toMeta } from "./kubernetes-schemas.ts";
import type { MeshConfigMapObject } from "./mesh-object.ts";
import { refusal, toProblems, withoutNulls } from "./object-problems.ts";
import type { Refusal } from "./object-problems.ts";
import type { RawObject } from "./raw-object.ts";

const PATH = ["data", MESH_CONFIG_KEY] as const;

/** Other ConfigMaps are none of our business; whether its namespace is the mesh's, the registry knows. */
export function isMeshConfigMap({ apiVersion, kind, name, value }: RawObject): boolean {
  if (apiVersion !== "v1" || kind !== "ConfigMap" || name !== MESH_CONFIG_MAP) return false;
  const { data } = value;
  return typeof data === "object" && data !== null && Object.hasOwn(data, MESH_CONFIG_KEY);
}

export function validateMeshConfigMap(raw: RawObject): { readonly ok: true; readonly object: MeshConfigMapObject } | Refusal {
  const text = (raw.value["data"] as Record<string, unknown>)[MESH_CONFIG_KEY];
  if (typeof text !== "string") return refusal(raw, PATH, "must be YAML as one text; write it behind `mesh: |`");
  const { documents, problems } = parseYamlDocuments(text, "");
  const [broken] = problems;
  if (broken !== undefined) return refusal(raw, PATH, `${broken.message}, in its line ${broken.line}`);
  if (documents.length > 1) return refusal(raw, PATH, "has more than one document");
  const envelope = objectEnvelope.safeParse(raw.value);
  if (!envelope.success) return { ok: false, problems: toProblems(raw, envelope.error, []) };
  const parsed = meshConfig.safeParse(withoutNulls(documents[0]?.value ?? {}));
  if (!parsed.success) return { ok: false, problems: toProblems(raw, parsed.error, PATH) };
  return { ok: true, object: { kind: "ConfigMap", meta: toMeta(envelope.data.metadata, raw.namespace), config: parsed.data } };
}
