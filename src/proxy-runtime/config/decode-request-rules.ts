// What a connection manager makes of a request before it is routed: who the client is, which headers are believed, and
// what its host and path mean.
import type { HttpConnectionManager } from "../../xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts";
import {
  HttpConnectionManager_InternalAddressConfigSchema,
  HttpConnectionManager_PathWithEscapedSlashesAction as EscapedSlashes,
} from "../../xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts";
import { SchemeHeaderTransformationSchema } from "../../xds/gen/envoy/config/core/v3/protocol_pb.ts";
import { cidr, headText } from "./decode-values.ts";
import type { Decoding } from "./decoding.ts";
import { fieldRules, join } from "./decoding.ts";
import type { CidrConfig, HttpConnectionManagerConfig } from "./listener-config.ts";

/** Proto names of the fields that are read here. */
export const REQUEST_RULE_FIELDS = [
  "use_remote_address",
  "skip_xff_append",
  "xff_num_trusted_hops",
  "internal_address_config",
  "append_x_forwarded_port",
  "scheme_header_transformation",
  "via",
  "generate_request_id",
  "preserve_external_request_id",
  "always_set_request_id_in_response",
  "strip_matching_host_port",
  "strip_any_host_port",
  "strip_trailing_host_dot",
  "normalize_path",
  "merge_slashes",
  "path_with_escaped_slashes_action",
];
const INTERNAL = fieldRules(HttpConnectionManager_InternalAddressConfigSchema, ["cidr_ranges"], {
  unix_sockets: "for listeners on unix sockets, which there are none of",
});
const SCHEME = fieldRules(SchemeHeaderTransformationSchema, ["scheme_to_overwrite"]);

// RFC 1918, RFC 4193 and loopback: Envoy's idea of internal where nothing else is configured.
const PRIVATE: readonly CidrConfig[] = [
  { address: "10.0.0.0", prefixLength: 8 },
  { address: "172.16.0.0", prefixLength: 12 },
  { address: "192.168.0.0", prefixLength: 16 },
  { address: "127.0.0.0", prefixLength: 8 },
  { address: "fc00::", prefixLength: 7 },
  { address: "::1", prefixLength: 128 },
];

const ESCAPED: Readonly<Record<EscapedSlashes, HttpConnectionManagerConfig["escapedSlashes"]>> = {
  [EscapedSlashes.IMPLEMENTATION_SPECIFIC_DEFAULT]: "keep",
  [EscapedSlashes.KEEP_UNCHANGED]: "keep",
  [EscapedSlashes.REJECT_REQUEST]: "reject",
  [EscapedSlashes.UNESCAPE_AND_REDIRECT]: "unescape_and_redirect",
  [EscapedSlashes.UNESCAPE_AND_FORWARD]: "unescape_and_forward",
};

type RequestRules = Pick<
  HttpConnectionManagerConfig,
  | "useRemoteAddress"
  | "skipXffAppend"
  | "xffTrustedHops"
  | "internalRanges"
  | "appendForwardedPort"
  | "schemeOverwrite"
  | "via"
  | "generateRequestId"
  | "preserveExternalRequestId"
  | "alwaysSetRequestIdInResponse"
  | "stripHostPort"
  | "stripTrailingHostDot"
  | "normalizePath"
  | "mergeSlashes"
  | "escapedSlashes"
>;

export function decodeRequestRules(decoding: Decoding, manager: HttpConnectionManager, path: string): RequestRules {
  const stripsAny = manager.stripPortMode.case === "stripAnyHostPort" && manager.stripPortMode.value;
  if (stripsAny && manager.stripMatchingHostPort) decoding.problem(join(path, "strip_any_host_port"), "excludes strip_matching_host_port");
  return {
    useRemoteAddress: manager.useRemoteAddress ?? false,
    skipXffAppend: manager.skipXffAppend,
    xffTrustedHops: manager.xffNumTrustedHops,
    internalRanges: decodeInternal(decoding, manager, join(path, "internal_address_config")),
    appendForwardedPort: manager.appendXForwardedPort,
    schemeOverwrite: decodeScheme(decoding, manager, join(path, "scheme_header_transformation")),
    via: headText(decoding, manager.via, join(path, "via")),
    generateRequestId: manager.generateRequestId ?? true,
    preserveExternalRequestId: manager.preserveExternalRequestId,
    alwaysSetRequestIdInResponse: manager.alwaysSetRequestIdInResponse,
    stripHostPort: stripsAny ? "any" : manager.stripMatchingHostPort ? "matching" : "none",
    stripTrailingHostDot: manager.stripTrailingHostDot,
    normalizePath: manager.normalizePath ?? false,
    mergeSlashes: manager.mergeSlashes,
    escapedSlashes: ESCAPED[manager.pathWithEscapedSlashesAction] ?? "keep",
  };
}

function decodeInternal(decoding: Decoding, manager: HttpConnectionManager, path: string): readonly CidrConfig[] {
  const config = manager.internalAddressConfig;
  if (config === undefined) return PRIVATE;
  decoding.check(INTERNAL, config, path);
  return config.cidrRanges.map((range, index) => cidr(decoding, range, `${join(path, "cidr_ranges")}[${index}]`));
}

function decodeScheme(decoding: Decoding, manager: HttpConnectionManager, path: string): RequestRules["schemeOverwrite"] {
  const transformation = manager.schemeHeaderTransformation;
  if (transformation === undefined) return undefined;
  decoding.check(SCHEME, transformation, path);
  const { transformation: choice } = transformation;
  if (choice.case === undefined) return undefined;
  if (choice.value === "http" || choice.value === "https") return choice.value;
  decoding.problem(join(path, "scheme_to_overwrite"), `must be http or https, not ${JSON.stringify(choice.value)}`);
  return undefined;
}
