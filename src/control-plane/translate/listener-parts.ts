// What listeners of both directions are made of: addresses for the families that the pod has, listener filters.
import { create } from "@bufbuild/protobuf";
import { ListenerFilterSchema } from "../../xds/gen/envoy/config/listener/v3/listener_components_pb.ts";
import type { ListenerFilter } from "../../xds/gen/envoy/config/listener/v3/listener_components_pb.ts";
import { AdditionalAddressSchema } from "../../xds/gen/envoy/config/listener/v3/listener_pb.ts";
import type { AdditionalAddress } from "../../xds/gen/envoy/config/listener/v3/listener_pb.ts";
import type { Address } from "../../xds/gen/envoy/config/core/v3/address_pb.ts";
import { HttpInspectorSchema } from "../../xds/gen/envoy/extensions/filters/listener/http_inspector/v3/http_inspector_pb.ts";
import { OriginalDstSchema } from "../../xds/gen/envoy/extensions/filters/listener/original_dst/v3/original_dst_pb.ts";
import { TlsInspectorSchema } from "../../xds/gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.ts";
import { Alpn } from "../../xds/names.ts";
import { pack, toAddress, toDuration } from "./wire-values.ts";

/** Plaintext HTTP as the HTTP inspector names it; `h2c` begins with HTTP/2's preface. */
export const SNIFFED_HTTP: readonly string[] = [Alpn.http10, Alpn.http11, Alpn.h2c];

interface Families {
  readonly hasIpv4: boolean;
  readonly hasIpv6: boolean;
}

export function wildcardAddress(families: Families): string {
  return families.hasIpv4 ? "0.0.0.0" : "::";
}

export function wildcardAddresses(families: Families, port: number): { address: Address; additionalAddresses: AdditionalAddress[] } {
  const both = families.hasIpv4 && families.hasIpv6;
  return {
    address: toAddress(wildcardAddress(families), port),
    additionalAddresses: both ? [create(AdditionalAddressSchema, { address: toAddress("::", port) })] : [],
  };
}

const INSPECTORS = {
  original_dst: OriginalDstSchema,
  tls_inspector: TlsInspectorSchema,
  http_inspector: HttpInspectorSchema,
} as const;

export function listenerFilter(name: keyof typeof INSPECTORS): ListenerFilter {
  return create(ListenerFilterSchema, {
    name: `envoy.filters.listener.${name}`,
    configType: { case: "typedConfig", value: pack(INSPECTORS[name], {}) },
  });
}

/**
 * Wait for the first bytes for as long as the client keeps the connection open: a pool may open one long before using it.
 * For listeners where what isn't HTTP would lose its way.
 */
export const PATIENT_SNIFFING = { listenerFiltersTimeout: toDuration(0), continueOnListenerFiltersTimeout: true };

const SNIFFING_LIMIT_MS = 5_000;

/**
 * Wait a while, then go on with what is known: a client that waits for the server's greeting gets it late instead of
 * never. For listeners where bytes arrive at the right place too.
 */
export const BOUNDED_SNIFFING = { listenerFiltersTimeout: toDuration(SNIFFING_LIMIT_MS), continueOnListenerFiltersTimeout: true };
