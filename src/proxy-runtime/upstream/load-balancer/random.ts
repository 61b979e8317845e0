// RANDOM: any host, by weight where weights differ.
import type { UpstreamHost } from "../host.ts";
import { haveEqualWeights, type LoadBalancer } from "./load-balancer.ts";

export class RandomChoice implements LoadBalancer {
  readonly #random: () => number;
  #hosts: readonly UpstreamHost[] | undefined = undefined;
  #totalWeight = 0;

  constructor(random: () => number) {
    this.#random = random;
  }

  pick(hosts: readonly UpstreamHost[]): UpstreamHost | undefined {
    if (hosts.length <= 1) return hosts[0];
    if (hosts !== this.#hosts) {
      this.#hosts = hosts;
      this.#totalWeight = haveEqualWeights(hosts) ? 0 : hosts.reduce((sum, host) => sum + host.endpoint.weight, 0);
    }
    if (this.#totalWeight === 0) return hosts[Math.floor(this.#random() * hosts.length)];
    let rest = this.#random() * this.#totalWeight;
    for (const host of hosts) {
      rest -= host.endpoint.weight;
      if (rest < 0) return host;
    }
    return hosts[hosts.length - 1];
  }
}
