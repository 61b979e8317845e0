// Envoy's /config_dump, /clusters?format=json or a file with either, cut into its sections.
import { UserError } from "../../../common/user-error.ts";
import { field, isObject, items, text, toCamelCase, type Json } from "./envoy-json.ts";

export class ConfigDump {
  readonly #root: Json;
  readonly #origin: string;

  /** @param origin where it came from, for messages. */
  constructor(root: Json, origin: string) {
    this.#root = root;
    this.#origin = origin;
  }

  /** envoy.admin.v3.ClustersConfigDump and its siblings, by bare name; undefined where the dump has none. */
  find(name: string): Json | undefined {
    return items(this.#root, "configs").find((each) => text(each, "@type").endsWith(`.${name}`));
  }

  /** @throws UserError when the dump lacks the section. */
  section(name: string): Json {
    const found = this.find(name);
    if (found !== undefined) return found;
    throw new UserError(`${this.#origin} has no ${name}`, "give the whole answer of Envoy's /config_dump");
  }

  clusters(): Json[] {
    const dump = this.section("ClustersConfigDump");
    return ["staticClusters", "dynamicActiveClusters", "dynamicWarmingClusters"].flatMap((list) =>
      items(dump, list).map((each) => field(each, "cluster")!),
    );
  }

  /** Listeners that serve: those without an active state are still warming. */
  listeners(): Json[] {
    const dump = this.section("ListenersConfigDump");
    const fixed = items(dump, "staticListeners").map((each) => field(each, "listener"));
    const dynamic = items(dump, "dynamicListeners").map((each) => field(each, "activeState", "listener"));
    return [...fixed, ...dynamic].filter((each) => each !== undefined);
  }

  routes(): Json[] {
    const dump = this.section("RoutesConfigDump");
    return ["dynamicRouteConfigs", "staticRouteConfigs"].flatMap((list) => items(dump, list).map((each) => field(each, "routeConfig")!));
  }

  /** ClusterLoadAssignments; empty where the dump was made without include_eds. */
  loadAssignments(): Json[] {
    const dump = this.find("EndpointsConfigDump");
    return ["staticEndpointConfigs", "dynamicEndpointConfigs"].flatMap((list) =>
      items(dump, list).map((each) => field(each, "endpointConfig")!),
    );
  }

  hasEndpoints(): boolean {
    return this.find("EndpointsConfigDump") !== undefined;
  }

  /** The list of /clusters?format=json; undefined when this isn't one. */
  clusterStatuses(): readonly Json[] | undefined {
    return isObject(this.#root) && this.#root["clusterStatuses"] !== undefined ? items(this.#root, "clusterStatuses") : undefined;
  }
}

/** @throws UserError when the text is neither. */
export function parseConfigDump(body: string, origin: string): ConfigDump {
  if (body.trim() === "") throw new UserError(`${origin} is empty`, "give Envoy's answer to /config_dump");
  let root: Json;
  try {
    root = toCamelCase(JSON.parse(body) as Json);
  } catch (error) {
    throw new UserError(`${origin} is not JSON: ${(error as Error).message}`, "give Envoy's answer to /config_dump");
  }
  if (items(root, "configs").length === 0 && field(root, "clusterStatuses") === undefined) {
    throw new UserError(`${origin} is no Envoy config dump: it has no "configs"`, "give Envoy's answer to /config_dump");
  }
  return new ConfigDump(root, origin);
}
