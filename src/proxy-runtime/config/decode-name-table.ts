// Istio's NameTable (NDS) → host names and their addresses, for the sidecar's DNS.
import { isIP } from "node:net";
import type { Result } from "../../common/result.ts";
import type { NameTable } from "../../xds/gen/istio/nds_pb.ts";
import { NameTableSchema } from "../../xds/gen/istio/nds_pb.ts";
import type { Decoded } from "./decoding.ts";
import { decodeResource } from "./decoding.ts";

export function decodeNameTable(input: Uint8Array | NameTable, path = ""): Result<Decoded<ReadonlyMap<string, readonly string[]>>> {
  return decodeResource(NameTableSchema, input, path, (decoding, table) => {
    const names = new Map<string, readonly string[]>();
    for (const [host, info] of Object.entries(table.table)) {
      const bad = info.ips.find((ip) => isIP(ip) === 0);
      if (bad !== undefined) decoding.problem(`table[${JSON.stringify(host)}].ips`, `must be IP addresses, not ${JSON.stringify(bad)}`);
      names.set(host.toLowerCase().replace(/\.$/, ""), info.ips);
    }
    return names;
  });
}
