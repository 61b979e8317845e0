// Keeps the endpoints of a strict_dns or logical_dns cluster up to date: names are looked up again and again, the last
// good answer is kept when a look-up fails.
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
    let changed = false;
    await Promise.all(
      [...names].map(async (name) => {
        const addresses = isIP(name) !== 0 ? [name] : await lookup(name, { all: true }).then((all) => all.map((each) => each.address).sort(), () => undefined);
        if (addresses === undefined || addresses.join() === this.#answers.get(name)?.join()) return;
        this.#answers.set(name, addresses);
        changed = true;
      }),
    );
    if (this.#stopped) return;
    if (changed) this.#onEndpoints({ ...wanted, localities: wanted.localities.map((each) => ({ ...each, endpoints: each.endpoints.flatMap((one) => this.#expand(one)) })) });
    this.#timer = setTimeout(() => void this.#resolve(), this.#config.dnsRefreshMs).unref();
  }

  #expand(endpoint: EndpointConfig): EndpointConfig[] {
    const addresses = this.#answers.get(endpoint.address) ?? [];
    const used = this.#config.type === "logical_dns" ? addresses.slice(0, 1) : addresses;
    return used.map((address) => ({ ...endpoint, address, hostname: endpoint.hostname === "" ? endpoint.address : endpoint.hostname }));
  }
}
