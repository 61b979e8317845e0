// What the control plane would send a sidecar now against what the sidecar runs with, type by type, as a unified diff of
// both as JSON.
import { fromBinary } from "@bufbuild/protobuf";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import { unifiedDiff } from "../../../cli/unified-diff.ts";
import { anyJson } from "../../../proxy-runtime/admin/resource-json.ts";
import { parseConfigDump } from "../proxy-config/config-dump.ts";
import { field, items, text, toCamelCase, type Json } from "../proxy-config/envoy-json.ts";

/** The answer of the control plane's /debug/config_dump: by type and name, an encoded Any in base64. */
export type SentResources = Readonly<Record<"clusters" | "listeners" | "routes", Readonly<Record<string, string>>>>;

export interface TypeDifference {
  readonly type: "Clusters" | "Listeners" | "Routes";
  /** Empty where they match. */
  readonly diff: string;
}

export interface ConfigDifference {
  readonly types: readonly TypeDifference[];
  /** When the sidecar last took routes; undefined without any. */
  readonly routesLoadedAt: string | undefined;
}

/** @param dumpText the sidecar's /config_dump. */
export function configDifference(sent: SentResources, dumpText: string, origin: string): ConfigDifference {
  const dump = parseConfigDump(dumpText, origin);
  const clusters = items(dump.section("ClustersConfigDump"), "dynamicActiveClusters").map((each) => field(each, "cluster"));
  const listeners = items(dump.section("ListenersConfigDump"), "dynamicListeners").map((each) => field(each, "activeState", "listener"));
  const routeConfigs = items(dump.section("RoutesConfigDump"), "dynamicRouteConfigs");
  const routes = routeConfigs.map((each) => field(each, "routeConfig"));
  const compare = (type: TypeDifference["type"], sentOfType: Readonly<Record<string, string>>, held: readonly (Json | undefined)[]) => ({
    type,
    diff: diffOf(type, Object.values(sentOfType).map(decode), held),
  });
  return {
    types: [
      compare("Clusters", sent.clusters, clusters),
      compare("Listeners", sent.listeners, listeners),
      compare("Routes", sent.routes, routes),
    ],
    routesLoadedAt: routeConfigs
      .map((each) => text(each, "lastUpdated"))
      .sort()
      .at(-1),
  };
}

function decode(base64: string): Json {
  const { typeUrl, value } = fromBinary(AnySchema, Buffer.from(base64, "base64"));
  return toCamelCase(anyJson(typeUrl, value));
}

function diffOf(type: string, sent: readonly Json[], held: readonly (Json | undefined)[]): string {
  const print = (resources: readonly (Json | undefined)[]): string => {
    const known = resources.filter((each) => each !== undefined).toSorted((a, b) => (text(a, "name") < text(b, "name") ? -1 : 1));
    return known.map((each) => `${JSON.stringify(each, undefined, 3)}\n`).join("");
  };
  return unifiedDiff({ name: `Control Plane ${type}`, text: print(sent) }, { name: `Sidecar ${type}`, text: print(held) });
}
