// ROUND_ROBIN: one after the other from a random start; by weight where weights differ.
import type { UpstreamHost } from "../host.ts";
import { EdfSchedule, weightOf } from "./edf-schedule.ts";
import { haveEqualWeights, type LoadBalancer } from "./load-balancer.ts";

export class RoundRobin implements LoadBalancer {
  readonly #random: () => number;
  #hosts: readonly UpstreamHost[] | undefined = undefined;
  #schedule: EdfSchedule | undefined = undefined;
  #next = 0;

  constructor(random: () => number) {
    this.#random = random;
  }

  pick(hosts: readonly UpstreamHost[]): UpstreamHost | undefined {
    if (hosts.length <= 1) return hosts[0];
    if (hosts !== this.#hosts) {
      this.#hosts = hosts;
      this.#schedule = haveEqualWeights(hosts) ? undefined : new EdfSchedule(hosts, this.#random());
      this.#next = Math.floor(this.#random() * hosts.length);
    }
    if (this.#schedule !== undefined) return this.#schedule.next(weightOf);
    this.#next = this.#next + 1 < hosts.length ? this.#next + 1 : 0;
    return hosts[this.#next];
  }
}
