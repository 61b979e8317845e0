// The filter chain of an outbound listener for what is, or looks like, HTTP.
import { create } from "@bufbuild/protobuf";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { FilterChainSchema } from "../../xds/gen/envoy/config/listener/v3/listener_components_pb.ts";
import type { FilterChain, FilterChainMatchSchema } from "../../xds/gen/envoy/config/listener/v3/listener_components_pb.ts";
import type { MeshSettings } from "../registry/mesh-snapshot.ts";
import { SNIFFED_HTTP } from "./listener-parts.ts";
import { httpManager } from "./network-filters.ts";
import { adsSource } from "./outbound-clusters.ts";

/** @param match which connections it takes; where not given, those whose first bytes are HTTP. */
export function httpChain(
  settings: MeshSettings,
  listenerName: string,
  routeName: string,
  match: MessageInitShape<typeof FilterChainMatchSchema> = { applicationProtocols: [...SNIFFED_HTTP] },
  name: string = listenerName,
): FilterChain {
  return create(FilterChainSchema, {
    name,
    filterChainMatch: { transportProtocol: "raw_buffer", ...match },
    filters: [
      httpManager(settings, "outbound", `outbound_${listenerName}`, {
        case: "rds",
        value: { routeConfigName: routeName, configSource: adsSource() },
      }),
    ],
  });
}
