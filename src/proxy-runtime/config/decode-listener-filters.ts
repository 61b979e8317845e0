// Listener filters: what is found out about a connection before a filter chain is chosen, and for which ports not.
import type { DescMessage } from "@bufbuild/protobuf";
import type { ListenerFilter, ListenerFilterChainMatchPredicate } from "../../xds/gen/envoy/config/listener/v3/listener_components_pb.ts";
import { ListenerFilterSchema } from "../../xds/gen/envoy/config/listener/v3/listener_components_pb.ts";
import { HttpInspectorSchema } from "../../xds/gen/envoy/extensions/filters/listener/http_inspector/v3/http_inspector_pb.ts";
import { OriginalDstSchema } from "../../xds/gen/envoy/extensions/filters/listener/original_dst/v3/original_dst_pb.ts";
import { TlsInspectorSchema } from "../../xds/gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.ts";
import type { Decoding, FieldRules } from "./decoding.ts";
import { fieldRules, join, typeName } from "./decoding.ts";
import { ALL_PORTS, complementOf, intersectionOf, unionOf, type PortRanges } from "./port-ranges.ts";

const LISTENER_FILTER = fieldRules(ListenerFilterSchema, ["name", "typed_config", "filter_disabled"]);

export type ListenerFilterKind = "originalDst" | "tlsInspector" | "httpInspector";

interface Known {
  readonly kind: ListenerFilterKind;
  readonly name: string;
  readonly schema: DescMessage;
  readonly rules: FieldRules<DescMessage>;
}

const KNOWN: readonly Known[] = [
  {
    kind: "originalDst",
    name: "envoy.filters.listener.original_dst",
    schema: OriginalDstSchema,
    rules: fieldRules(OriginalDstSchema, []),
  },
  {
    kind: "tlsInspector",
    name: "envoy.filters.listener.tls_inspector",
    schema: TlsInspectorSchema,
    rules: fieldRules(TlsInspectorSchema, [], { initial_read_buffer_size: "a buffer size" }),
  },
  {
    kind: "httpInspector",
    name: "envoy.filters.listener.http_inspector",
    schema: HttpInspectorSchema,
    rules: fieldRules(HttpInspectorSchema, []),
  },
];
const POSSIBLE = "envoy.filters.listener.original_dst, tls_inspector and http_inspector";

/** The filters that are there, each with the ports for which it looks. */
export function decodeListenerFilters(
  decoding: Decoding,
  filters: readonly ListenerFilter[],
  path: string,
): ReadonlyMap<ListenerFilterKind, PortRanges> {
  const found = new Map<ListenerFilterKind, PortRanges>();
  filters.forEach((filter, index) => {
    const inner = `${path}[${index}]`;
    decoding.check(LISTENER_FILTER, filter, inner);
    const any = filter.configType.case === "typedConfig" ? filter.configType.value : undefined;
    const known = KNOWN.find((each) => (any === undefined ? each.name === filter.name : each.schema.typeName === typeName(any)));
    if (known === undefined) {
      decoding.problem(inner, `unknown extension ${any?.typeUrl ?? filter.name}; meshctl supports ${POSSIBLE}`);
      return;
    }
    const message = any === undefined ? undefined : decoding.unpack(any, known.schema, join(inner, "typed_config"), POSSIBLE);
    if (message !== undefined) decoding.check(known.rules, message, join(inner, "typed_config"));
    if (filter.filterDisabled !== undefined && known.kind === "originalDst") decoding.unsupported(join(inner, "filter_disabled"));
    const off = filter.filterDisabled === undefined ? [] : matchingPorts(decoding, filter.filterDisabled, join(inner, "filter_disabled"));
    found.set(known.kind, complementOf(off));
  });
  return found;
}

/** The destination ports that a predicate is true for. */
function matchingPorts(decoding: Decoding, predicate: ListenerFilterChainMatchPredicate, path: string): PortRanges {
  const { rule } = predicate;
  const all = (rules: readonly ListenerFilterChainMatchPredicate[], field: string): PortRanges[] =>
    rules.map((each, index) => matchingPorts(decoding, each, `${join(path, field)}.rules[${index}]`));
  switch (rule.case) {
    case "orMatch":
      return unionOf(all(rule.value.rules, "or_match"));
    case "andMatch":
      return intersectionOf(all(rule.value.rules, "and_match"));
    case "notMatch":
      return complementOf(matchingPorts(decoding, rule.value, join(path, "not_match")));
    case "anyMatch":
      return rule.value ? ALL_PORTS : [];
    case "destinationPortRange": {
      // Int32Range: the end does not belong to it.
      const { start, end } = rule.value;
      if (start < 0 || end > 65536 || start >= end) {
        decoding.problem(
          join(path, "destination_port_range"),
          `must be a range of ports whose end comes after its start, not ${start} to ${end}`,
        );
        return [];
      }
      return [{ first: start, last: end - 1 }];
    }
    default:
      decoding.problem(path, "must not be empty");
      return [];
  }
}
