// Keeps the endpoints of a strict_dns or logical_dns cluster up to date: names are looked up again and again, the last
// good answer is kept when a look-up fails.
import type { LookupAddress } from "node:dns";
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import type { ClusterConfig } from "../config/cluster-config.ts";
import type { EndpointConfig, EndpointsConfig } from "../config/endpoint-config.ts";

export class DnsResolver {
  readonly #config: ClusterConfig;
  readonly #onEndpoints: (endpoints: EndpointsConfig) => void;
  readonly #answers = new Map<string, readonly string[]>();
  #timer: NodeJS.Timeout | undefined = undefined;
  #stopped = false;

  constructor(config: ClusterConfig, onEndpoints: (endpoints: EndpointsConfig) => void) {
    this.#config = config;
    this.#onEndpoints = onEndpoints;
    void this.#resolve();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  async #resolve(): Promise<void> {
    const wanted = this.#config.staticEndpoints;
    if (wanted === undefined) return;
    const names = new Set(wanted.localities.flatMap((locality) => locality.endpoints.map((each) => each.address)));
    const family = this.#config.dnsLookupFamily ?? "auto";
    let changed = false;
    await Promise.all(
      [...names].map(async (name) => {
        const addresses =
          isIP(name) !== 0
            ? [name]
            : await lookup(name, { all: true }).then(
                (all) => ofFamily(all, family),
                () => undefined,
              );
        if (addresses === undefined || addresses.join() === this.#answers.get(name)?.join()) return;
        this.#answers.set(name, addresses);
        changed = true;
      }),
    );
    if (this.#stopped) return;
    if (changed)
      this.#onEndpoints({
        ...wanted,
        localities: wanted.localities.map((each) => ({ ...each, endpoints: each.endpoints.flatMap((one) => this.#expand(one)) })),
      });
    this.#timer = setTimeout(() => void this.#resolve(), this.#config.dnsRefreshMs).unref();
  }

  #expand(endpoint: EndpointConfig): EndpointConfig[] {
    const addresses = this.#answers.get(endpoint.address) ?? [];
    const used = this.#config.type === "logical_dns" ? addresses.slice(0, 1) : addresses;
    return used.map((address) => ({ ...endpoint, address, hostname: endpoint.hostname === "" ? endpoint.address : endpoint.hostname }));
  }
}

/** Envoy's DnsLookupFamily: `auto` takes IPv6 where there is any, `v4_preferred` IPv4. */
function ofFamily(found: readonly LookupAddress[], family: NonNullable<ClusterConfig["dnsLookupFamily"]>): string[] {
  const of = (wanted: number): string[] =>
    found
      .filter((each) => each.family === wanted)
      .map((each) => each.address)
      .sort();
  const v4 = of(4);
  const v6 = of(6);
  switch (family) {
    case "v4_only":
      return v4;
    case "v6_only":
      return v6;
    case "v4_preferred":
      return v4.length > 0 ? v4 : v6;
    case "auto":
      return v6.length > 0 ? v6 : v4;
    case "all":
      return [...v4, ...v6];
  }
}
