// The local addresses that connections to upstream hosts are made from: one per address family, as a dual-stack pod needs.
import { isIP } from "node:net";
import type { BindConfig, SocketAddress } from "../../xds/gen/envoy/config/core/v3/address_pb.ts";
import { BindConfigSchema, ExtraSourceAddressSchema } from "../../xds/gen/envoy/config/core/v3/address_pb.ts";
import type { Decoding } from "./decoding.ts";
import { fieldRules, join } from "./decoding.ts";

const BIND = fieldRules(BindConfigSchema, ["source_address", "extra_source_addresses", "additional_source_addresses"]);
const EXTRA = fieldRules(ExtraSourceAddressSchema, ["address"]);

export function decodeBindSources(decoding: Decoding, bind: BindConfig | undefined, path: string): readonly string[] {
  if (bind === undefined) return [];
  decoding.check(BIND, bind, path);
  const addresses: { readonly address: SocketAddress | undefined; readonly path: string }[] = [];
  if (bind.sourceAddress !== undefined) addresses.push({ address: bind.sourceAddress, path: join(path, "source_address") });
  bind.extraSourceAddresses.forEach((extra, index) => {
    const inner = `${join(path, "extra_source_addresses")}[${index}]`;
    decoding.check(EXTRA, extra, inner);
    addresses.push({ address: extra.address, path: join(inner, "address") });
  });
  bind.additionalSourceAddresses.forEach((address, index) =>
    addresses.push({ address, path: `${join(path, "additional_source_addresses")}[${index}]` }),
  );
  const families = new Set<number>();
  return addresses.flatMap(({ address, path: inner }) => {
    const family = isIP(address?.address ?? "");
    if (address === undefined || family === 0) {
      decoding.problem(join(inner, "address"), `must be an IP address, not ${JSON.stringify(address?.address ?? "")}`);
      return [];
    }
    if (families.has(family)) decoding.unsupported(inner, "more than one address of a family");
    families.add(family);
    if (address.portSpecifier.case === "namedPort" || (address.portSpecifier.value ?? 0) !== 0) {
      decoding.unsupported(join(inner, "port_value"), "only 0: one port can't carry several connections to one host");
    }
    return [address.address];
  });
}
