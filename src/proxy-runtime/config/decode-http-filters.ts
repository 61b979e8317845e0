// The list of HTTP filters: the router ends it; before it there may be buffers.
import type { Any } from "@bufbuild/protobuf/wkt";
import { BufferSchema } from "../../xds/gen/envoy/extensions/filters/http/buffer/v3/buffer_pb.ts";
import type { HttpFilter } from "../../xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts";
import { HttpFilterSchema } from "../../xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts";
import { RouterSchema } from "../../xds/gen/envoy/extensions/filters/http/router/v3/router_pb.ts";
import type { Decoding } from "./decoding.ts";
import { fieldRules, join, typeName } from "./decoding.ts";
import type { HttpConnectionManagerConfig, HttpFilterConfig, RouterFilterConfig } from "./listener-config.ts";

const FILTER = fieldRules(HttpFilterSchema, ["name", "typed_config", "is_optional", "disabled"]);
const ROUTER = fieldRules(RouterSchema, ["suppress_envoy_headers", "respect_expected_rq_timeout"], {
  dynamic_stats: "statistics only",
  start_child_span: "of trace spans, of which there are none",
  suppress_grpc_request_failure_code_stats: "statistics only",
});
const BUFFER = fieldRules(BufferSchema, ["max_request_bytes"]);
const ROUTER_NAME = "envoy.filters.http.router";
const BUFFER_NAME = "envoy.filters.http.buffer";
const POSSIBLE = `${ROUTER_NAME} (${RouterSchema.typeName}) and ${BUFFER_NAME} (${BufferSchema.typeName})`;

type HttpFilters = Pick<HttpConnectionManagerConfig, "filters" | "router">;

export function decodeHttpFilters(decoding: Decoding, filters: readonly HttpFilter[], path: string): HttpFilters {
  let router: RouterFilterConfig = { suppressEnvoyHeaders: false, respectExpectedTimeout: false };
  const others: HttpFilterConfig[] = [];
  filters.forEach((filter, index) => {
    const inner = `${path}[${index}]`;
    decoding.check(FILTER, filter, inner);
    const any = filter.configType.case === "typedConfig" ? filter.configType.value : undefined;
    if (any !== undefined && typeName(any) === BufferSchema.typeName) {
      const buffer = decodeBuffer(decoding, filter, any, inner);
      if (buffer !== undefined) others.push(buffer);
      return;
    }
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
    const message = any === undefined ? undefined : decoding.unpack(any, RouterSchema, join(inner, "typed_config"), POSSIBLE);
    if (message === undefined) return;
    decoding.check(ROUTER, message, join(inner, "typed_config"));
    router = { suppressEnvoyHeaders: message.suppressEnvoyHeaders, respectExpectedTimeout: message.respectExpectedRqTimeout };
  });
  const last = filters.at(-1);
  if (last === undefined || !isRouter(last)) decoding.problem(path, `must end in the router (${ROUTER_NAME})`);
  return { filters: others, router };
}

/** undefined where it is disabled or, with a problem, where it can't be read. */
function decodeBuffer(decoding: Decoding, filter: HttpFilter, any: Any, path: string): HttpFilterConfig | undefined {
  const inner = join(path, "typed_config");
  const message = decoding.unpack(any, BufferSchema, inner, POSSIBLE);
  if (message === undefined) return undefined;
  decoding.check(BUFFER, message, inner);
  const maxRequestBytes = message.maxRequestBytes ?? 0;
  if (maxRequestBytes === 0) decoding.problem(join(inner, "max_request_bytes"), "must be above 0");
  return filter.disabled ? undefined : { kind: "buffer", maxRequestBytes };
}

function isRouter(filter: HttpFilter): boolean {
  const any = filter.configType.case === "typedConfig" ? filter.configType.value : undefined;
  return any === undefined ? filter.configType.case === undefined && filter.name === ROUTER_NAME : typeName(any) === RouterSchema.typeName;
}
