// xDS messages as Envoy's JSON (snake_case, nested Any expanded), for golden files and comparisons.
import { createRegistry, toJson } from "@bufbuild/protobuf";
import type { JsonObject, Message } from "@bufbuild/protobuf";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { RESOURCE_SCHEMAS } from "../../src/control-plane/translate/resources.ts";
import type { Resources } from "../../src/control-plane/translate/resources.ts";

const gen = join(import.meta.dirname, "../../src/xds/gen");

/** Every generated type, so that any Any can be opened. */
const files = readdirSync(gen, { recursive: true, encoding: "utf8" }).filter((each) => each.endsWith("_pb.ts"));
const modules = await Promise.all(files.map((each) => import(join(gen, each)) as Promise<Record<string, unknown>>));
const descriptors = modules.flatMap((module) =>
  Object.entries(module).flatMap(([name, value]) => (name.endsWith("Schema") ? [value] : [])),
);
export const REGISTRY = createRegistry(...(descriptors as Parameters<typeof createRegistry>));

/** Type → name → JSON, sorted by name. */
export function resourcesToJson(resources: Resources): Record<string, Record<string, JsonObject>> {
  const result: Record<string, Record<string, JsonObject>> = {};
  for (const kind of Object.keys(RESOURCE_SCHEMAS) as (keyof Resources)[]) {
    const entries = [...(resources[kind] as ReadonlyMap<string, Message>)].sort(([a], [b]) => (a < b ? -1 : 1));
    result[kind] = Object.fromEntries(
      entries.map(([name, message]) => [
        name,
        toJson(RESOURCE_SCHEMAS[kind], message, { registry: REGISTRY, useProtoFieldName: true }) as JsonObject,
      ]),
    );
  }
  return result;
}
