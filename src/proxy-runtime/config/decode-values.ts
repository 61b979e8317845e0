// Small values that stand in many resources: durations, addresses, CIDR ranges, string matchers, data sources, Istio's metadata.
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import type { Duration } from "@bufbuild/protobuf/wkt";
import type { JsonObject } from "@bufbuild/protobuf";
import { describeFileError } from "../../common/file-error.ts";
import type { Address, CidrRange } from "../../xds/gen/envoy/config/core/v3/address_pb.ts";
import { SocketAddress_Protocol } from "../../xds/gen/envoy/config/core/v3/address_pb.ts";
import type { DataSource, Metadata } from "../../xds/gen/envoy/config/core/v3/base_pb.ts";
import type { StringMatcher } from "../../xds/gen/envoy/type/matcher/v3/string_pb.ts";
import { MetadataKey } from "../../xds/names.ts";
import type { Decoding } from "./decoding.ts";
import { join } from "./decoding.ts";
import type { CidrConfig } from "./listener-config.ts";
import { compileRegex } from "./regex.ts";
import type { StringMatch } from "./tls-config.ts";

/** Milliseconds; `fallback` when the field is absent. */
export function durationMs(decoding: Decoding, duration: Duration | undefined, path: string, fallback: number): number {
  if (duration === undefined) return fallback;
  const ms = Number(duration.seconds) * 1000 + duration.nanos / 1e6;
  if (ms < 0) decoding.problem(path, "must not be negative");
  // What is shorter than a timer can be must not turn into 0, which means "none" for most fields.
  return ms > 0 && ms < 1 ? 1 : Math.round(ms);
}

/** Host and port of a socket address; undefined (with a problem) for anything else. */
export function socketAddress(
  decoding: Decoding,
  address: Address | undefined,
  path: string,
  options: { readonly names: boolean },
): { host: string; port: number; ipv4Compat: boolean } | undefined {
  if (address?.address.case !== "socketAddress") {
    const what = address?.address.case;
    if (what === undefined) decoding.problem(path, "missing; a socket_address is needed");
    else decoding.unsupported(join(path, what === "pipe" ? "pipe" : "envoy_internal_address"), "only socket_address");
    return undefined;
  }
  const socket = address.address.value;
  const inner = join(path, "socket_address");
  if (socket.protocol !== SocketAddress_Protocol.TCP) decoding.unsupported(join(inner, "protocol"), "only TCP");
  if (socket.resolverName !== "") decoding.unsupported(join(inner, "resolver_name"));
  if (socket.portSpecifier.case === "namedPort") decoding.unsupported(join(inner, "named_port"), "use port_value");
  const port = socket.portSpecifier.case === "portValue" ? socket.portSpecifier.value : 0;
  if (port > 65535) decoding.problem(join(inner, "port_value"), `must be at most 65535, not ${port}`);
  if (socket.address === "") decoding.problem(join(inner, "address"), "missing");
  else if (!options.names && isIP(socket.address) === 0) {
    decoding.problem(join(inner, "address"), `must be an IP address, not ${JSON.stringify(socket.address)}`);
  }
  return { host: socket.address, port, ipv4Compat: socket.ipv4Compat };
}

export function cidr(decoding: Decoding, range: CidrRange, path: string): CidrConfig {
  const family = isIP(range.addressPrefix);
  const prefixLength = range.prefixLen ?? 0;
  if (family === 0) decoding.problem(join(path, "address_prefix"), `must be an IP address, not ${JSON.stringify(range.addressPrefix)}`);
  else if (prefixLength > (family === 4 ? 32 : 128))
    decoding.problem(join(path, "prefix_len"), `must be at most ${family === 4 ? 32 : 128}, not ${prefixLength}`);
  return { address: range.addressPrefix, prefixLength };
}

/** Compiles the pattern once, so that a bad one is found here rather than by a request. */
export function checkRegex(decoding: Decoding, pattern: string, path: string): void {
  if (pattern === "") {
    decoding.problem(path, "must not be empty");
    return;
  }
  try {
    compileRegex(pattern);
  } catch (error) {
    decoding.problem(path, `not an RE2 expression: ${error instanceof Error ? error.message : String(error)}`);
  }
}

// RFC 9110 §5.5: no control characters except tab.
const CONTROL = /[\0-\x08\x0a-\x1f\x7f]/;

/**
 * Text that will stand in a head, as heads are written: one character a byte, what is not ASCII as the bytes of its UTF-8.
 * A control character is a problem, since a line feed would begin a line of its own.
 */
export function headText(decoding: Decoding, text: string, path: string): string {
  if (CONTROL.test(text)) decoding.problem(path, "holds a control character");
  return Buffer.from(text, "utf8").toString("latin1");
}

export function stringMatch(decoding: Decoding, matcher: StringMatcher | undefined, path: string): StringMatch {
  const pattern = matcher?.matchPattern;
  const ignoreCase = matcher?.ignoreCase ?? false;
  switch (pattern?.case) {
    case "exact":
    case "prefix":
    case "suffix":
    case "contains":
      if (pattern.case !== "exact" && pattern.value === "") decoding.problem(join(path, pattern.case), "must not be empty");
      return { kind: pattern.case, value: pattern.value, ignoreCase };
    case "safeRegex":
      checkRegex(decoding, pattern.value.regex, join(path, "safe_regex.regex"));
      if (ignoreCase) decoding.problem(join(path, "ignore_case"), "has no effect on safe_regex; write (?i) into the expression");
      return { kind: "regex", value: pattern.value.regex, ignoreCase: false };
    case "custom":
      decoding.unsupported(join(path, "custom"));
      break;
    case undefined:
      decoding.problem(path, "needs one of exact, prefix, suffix, contains, safe_regex");
  }
  return { kind: "exact", value: "", ignoreCase: false };
}

/** Text of a data source; undefined when it is absent or, with a problem, when it can't be read. */
export function dataSource(decoding: Decoding, source: DataSource | undefined, path: string): string | undefined {
  switch (source?.specifier.case) {
    case "inlineString":
      return source.specifier.value;
    case "inlineBytes":
      return new TextDecoder().decode(source.specifier.value);
    case "environmentVariable": {
      const text = process.env[source.specifier.value];
      if (text === undefined) decoding.problem(join(path, "environment_variable"), `${source.specifier.value} is not set`);
      return text;
    }
    case "filename": {
      if (source.watchedDirectory !== undefined) decoding.unsupported(join(path, "watched_directory"));
      try {
        return readFileSync(source.specifier.value, "utf8");
      } catch (error) {
        decoding.problem(join(path, "filename"), `can't read ${source.specifier.value}: ${describeFileError(error)}`);
        return undefined;
      }
    }
    default:
      return undefined;
  }
}

/** `istio` filter metadata, or an empty object. */
export function istioMetadata(metadata: Metadata | undefined): JsonObject {
  return metadata?.filterMetadata[MetadataKey.istio] ?? {};
}

/**
 * `name.namespace` out of Istio's path of a config object,
 * `/apis/networking.istio.io/v1/namespaces/<namespace>/<kind>/<name>`.
 */
export function istioConfigName(metadata: Metadata | undefined, kind: string): string | undefined {
  const config = istioMetadata(metadata)["config"];
  if (typeof config !== "string") return undefined;
  const parts = config.split("/");
  const namespace = parts[parts.indexOf("namespaces") + 1];
  return parts.at(-2) === kind && namespace !== undefined ? `${parts.at(-1)}.${namespace}` : undefined;
}
