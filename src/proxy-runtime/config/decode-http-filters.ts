// The list of HTTP filters: the router ends it, and no other filter is known yet.
import type { HttpFilter } from "../../xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts";
import { HttpFilterSchema } from "../../xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts";
import { RouterSchema } from "../../xds/gen/envoy/extensions/filters/http/router/v3/router_pb.ts";
import type { Decoding } from "./decoding.ts";
import { fieldRules, join, typeName } from "./decoding.ts";
import type { RouterFilterConfig } from "./listener-config.ts";

const FILTER = fieldRules(HttpFilterSchema, ["name", "typed_config", "is_optional", "disabled"]);
const ROUTER = fieldRules(RouterSchema, ["suppress_envoy_headers", "respect_expected_rq_timeout"], {
  dynamic_stats: "statistics only",
  start_child_span: "of trace spans, of which there are none",
  suppress_grpc_request_failure_code_stats: "statistics only",
});
const ROUTER_NAME = "envoy.filters.http.router";
const POSSIBLE = `${ROUTER_NAME} (${RouterSchema.typeName})`;

export function decodeHttpFilters(decoding: Decoding, filters: readonly HttpFilter[], path: string): RouterFilterConfig {
  let config: RouterFilterConfig = { suppressEnvoyHeaders: false, respectExpectedTimeout: false };
  filters.forEach((filter, index) => {
    const inner = `${path}[${index}]`;
    decoding.check(FILTER, filter, inner);
    const any = filter.configType.case === "typedConfig" ? filter.configType.value : undefined;
    if (!isRouter(filter)) {
      if (!filter.isOptional)
        decoding.problem(
          inner,
          `unknown extension ${any?.typeUrl ?? (filter.name === "" ? "without a type" : filter.name)}; meshctl supports ${POSSIBLE}`,
        );
      return;
    }
    if (index < filters.length - 1) decoding.problem(inner, "the router must be the last filter");
    if (filter.disabled) decoding.problem(join(inner, "disabled"), "the router can't be disabled");
    const router = any === undefined ? undefined : decoding.unpack(any, RouterSchema, join(inner, "typed_config"), POSSIBLE);
    if (router === undefined) return;
    decoding.check(ROUTER, router, join(inner, "typed_config"));
    config = { suppressEnvoyHeaders: router.suppressEnvoyHeaders, respectExpectedTimeout: router.respectExpectedRqTimeout };
  });
  const last = filters.at(-1);
  if (last === undefined || !isRouter(last)) decoding.problem(path, `must end in the router (${ROUTER_NAME})`);
  return config;
}

function isRouter(filter: HttpFilter): boolean {
  const any = filter.configType.case === "typedConfig" ? filter.configType.value : undefined;
  return any === undefined ? filter.configType.case === undefined && filter.name === ROUTER_NAME : typeName(any) === RouterSchema.typeName;
}
