// What listeners of both directions are made of: addresses for the families that the pod has, listener filters.
import { create } from "@bufbuild/protobuf";
import {
  ListenerFilterChainMatchPredicateSchema,
  ListenerFilterSchema,
} from "../../xds/gen/envoy/config/listener/v3/listener_components_pb.ts";
import type { ListenerFilter } from "../../xds/gen/envoy/config/listener/v3/listener_components_pb.ts";
import { AdditionalAddressSchema } from "../../xds/gen/envoy/config/listener/v3/listener_pb.ts";
import type { AdditionalAddress } from "../../xds/gen/envoy/config/listener/v3/listener_pb.ts";
import type { Address } from "../../xds/gen/envoy/config/core/v3/address_pb.ts";
import { HttpInspectorSchema } from "../../xds/gen/envoy/extensions/filters/listener/http_inspector/v3/http_inspector_pb.ts";
import { OriginalDstSchema } from "../../xds/gen/envoy/extensions/filters/listener/original_dst/v3/original_dst_pb.ts";
import { TlsInspectorSchema } from "../../xds/gen/envoy/extensions/filters/listener/tls_inspector/v3/tls_inspector_pb.ts";
import { Alpn } from "../../xds/names.ts";
import type { MeshSettings } from "../registry/mesh-snapshot.ts";
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

/** @param exceptPorts destination ports that it does not look at. */
export function listenerFilter(name: keyof typeof INSPECTORS, exceptPorts: readonly number[] = []): ListenerFilter {
  const rules = exceptPorts.map((port) =>
    create(ListenerFilterChainMatchPredicateSchema, { rule: { case: "destinationPortRange", value: { start: port, end: port + 1 } } }),
  );
  return create(ListenerFilterSchema, {
    name: `envoy.filters.listener.${name}`,
    configType: { case: "typedConfig", value: pack(INSPECTORS[name], {}) },
    ...(rules.length === 0 ? {} : { filterDisabled: rules.length === 1 ? rules[0]! : { rule: { case: "orMatch", value: { rules } } } }),
  });
}

/**
 * First bytes are waited for so long; then the connection goes on as what is known of it: a client that waits for the
 * server's greeting gets it late instead of never. For 0 they are waited for as long as the client stays, as Istio does.
 */
export function sniffing({ protocolDetectionTimeoutMs }: MeshSettings) {
  return { listenerFiltersTimeout: toDuration(protocolDetectionTimeoutMs), continueOnListenerFiltersTimeout: true };
}
