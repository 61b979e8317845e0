// Small protobuf values that every translator needs: durations, addresses, packed extensions, metadata.
import { create } from "@bufbuild/protobuf";
import type { DescMessage, JsonObject, MessageInitShape } from "@bufbuild/protobuf";
import { anyPack, DurationSchema } from "@bufbuild/protobuf/wkt";
import type { Any, Duration } from "@bufbuild/protobuf/wkt";
import { AddressSchema } from "../../xds/gen/envoy/config/core/v3/address_pb.ts";
import type { Address } from "../../xds/gen/envoy/config/core/v3/address_pb.ts";
import { MetadataSchema } from "../../xds/gen/envoy/config/core/v3/base_pb.ts";
import type { Metadata } from "../../xds/gen/envoy/config/core/v3/base_pb.ts";
import { MetadataKey } from "../../xds/names.ts";

export function toDuration(ms: number): Duration {
  const seconds = Math.floor(ms / 1000);
  return create(DurationSchema, { seconds: BigInt(seconds), nanos: Math.round((ms - seconds * 1000) * 1e6) });
}

export function toAddress(host: string, port: number): Address {
  return create(AddressSchema, {
    address: { case: "socketAddress", value: { address: host, portSpecifier: { case: "portValue", value: port } } },
  });
}

/** An extension's configuration, packed: what every `typed_config` holds. */
export function pack<Desc extends DescMessage>(schema: Desc, init: MessageInitShape<Desc>): Any {
  return anyPack(schema, create(schema, init));
}

/** filter_metadata `istio`: names of the objects that a resource was made from, for people and for metrics. */
export function istioMetadata(value: JsonObject): Metadata {
  return create(MetadataSchema, { filterMetadata: { [MetadataKey.istio]: value } });
}

/** The path by which Istio names the object behind a resource. */
export function configPath(namespace: string, resource: "destination-rule" | "virtual-service", name: string): string {
  return `/apis/networking.istio.io/v1/namespaces/${namespace}/${resource}/${name}`;
}

export function isIpv6(address: string): boolean {
  return address.includes(":");
}
