// /config_dump: the whole configuration, or what ?resource=, ?mask=, ?name_regex= and ?include_eds leave of it.
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { RE2JS, RE2JSException } from "re2js";
import type { AdminContext } from "./admin-server.ts";
import { badRequest, json, text } from "./answer.ts";
import type { Answer } from "./answer.ts";
import { dumpSections } from "./config-dump-sections.ts";
import type { DumpSection, NamedElement } from "./config-dump-sections.ts";

const TYPE_PREFIX = "type.googleapis.com/envoy.admin.v3.";

export async function configDump(context: AdminContext, query: URLSearchParams): Promise<Answer> {
  const pattern = compile(query.get("name_regex") ?? "");
  if (pattern === "invalid") return badRequest(`Error while parsing name_regex from ${query.get("name_regex")}\n`);
  const matches = ({ name }: NamedElement): boolean => pattern === undefined || pattern.matches(name);
  const mask = (query.get("mask") ?? "").split(",").filter((path) => path !== "");
  // Envoy's bootstrap has no name; it stays out when names are asked for.
  const endpointsOf = query.has("include_eds") ? await context.view.clusters() : undefined;
  const sections = dumpSections(context, endpointsOf).filter(({ type }) => pattern === undefined || type !== "BootstrapConfigDump");
  const resource = query.get("resource");
  if (resource !== null) return resourceDump(sections, resource, matches, mask);
  const configs = sections.map((section) => sectionJson(section, matches));
  if (mask.length === 0) return json({ configs });
  const masked = configs.map((config) => keep(config, mask)).filter((config) => Object.keys(config).length > 1);
  return masked.length === 0 ? badRequest(`FieldMask ${mask.join(",")} could not be successfully used.\n`) : json({ configs: masked });
}

function compile(pattern: string): RE2JS | undefined | "invalid" {
  try {
    return pattern === "" ? undefined : RE2JS.compile(pattern);
  } catch (error) {
    if (error instanceof RE2JSException) return "invalid";
    throw error;
  }
}

function sectionJson({ type, head, lists }: DumpSection, matches: (element: NamedElement) => boolean): JsonObject {
  const config: JsonObject = { "@type": TYPE_PREFIX + type, ...head };
  for (const { field, elements } of lists) {
    const chosen = elements.filter(matches);
    if (chosen.length > 0) config[field] = chosen.map((element) => element.json());
  }
  return config;
}

/** ?resource=dynamic_active_clusters: the elements of one list, each with its own type. */
function resourceDump(
  sections: readonly DumpSection[],
  resource: string,
  matches: (element: NamedElement) => boolean,
  mask: readonly string[],
): Answer {
  for (const { head, lists } of sections) {
    const found = lists.find(({ field }) => field === resource);
    if (found !== undefined) {
      const configs = found.elements
        .filter(matches)
        .map((element): JsonObject => ({ "@type": TYPE_PREFIX + found.type, ...element.json() }));
      return json({ configs: mask.length === 0 ? configs : configs.map((config) => keep(config, mask)) });
    }
    if (Object.hasOwn(head, resource)) return badRequest(`${resource} is not a repeated field. Use ?mask={} to get only this field\n`);
  }
  return { ...text(`${resource} not found in config dump\n`), status: 404 };
}

/** What a FieldMask leaves: the named fields, whole or in part. Types stay, so that the rest can still be read. */
function keep(value: JsonObject, paths: readonly string[]): JsonObject {
  const kept: JsonObject = {};
  for (const [key, member] of Object.entries(value)) {
    if (key === "@type" || paths.includes(key)) {
      kept[key] = member;
      continue;
    }
    const below = paths.filter((path) => path.startsWith(`${key}.`)).map((path) => path.slice(key.length + 1));
    if (below.length > 0) kept[key] = keepBelow(member, below);
  }
  return kept;
}

function keepBelow(value: JsonValue, paths: readonly string[]): JsonValue {
  if (Array.isArray(value)) return value.map((item) => keepBelow(item, paths));
  return value !== null && typeof value === "object" ? keep(value, paths) : value;
}
