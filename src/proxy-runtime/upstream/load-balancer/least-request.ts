// LEAST_REQUEST: of a few hosts drawn at random the one with the fewest requests under way; where weights differ, in
// turn by weight / (active requests + 1) (Envoy, active_request_bias 1).
import type { UpstreamHost } from "../host.ts";
import { EdfSchedule } from "./edf-schedule.ts";
import { haveEqualWeights, type LoadBalancer } from "./load-balancer.ts";
import { PerHostSet } from "./per-host-set.ts";

export class LeastRequest implements LoadBalancer {
  readonly #random: () => number;
  readonly #choices: number;
  /** undefined where weights are equal. */
  readonly #schedules: PerHostSet<EdfSchedule | undefined>;

  constructor(random: () => number, choices: number) {
    this.#random = random;
    this.#choices = choices;
    this.#schedules = new PerHostSet((hosts) => (haveEqualWeights(hosts) ? undefined : new EdfSchedule(hosts, random())));
  }

  pick(hosts: readonly UpstreamHost[]): UpstreamHost | undefined {
    if (hosts.length <= 1) return hosts[0];
    const schedule = this.#schedules.of(hosts);
    if (schedule !== undefined) return schedule.next(loadedWeight);
    let best = hosts[Math.floor(this.#random() * hosts.length)]!;
    for (let choice = 1; choice < this.#choices; choice += 1) {
      const other = hosts[Math.floor(this.#random() * hosts.length)]!;
      if (other.rqActive < best.rqActive) best = other;
    }
    return best;
  }
}

function loadedWeight(host: UpstreamHost): number {
  return host.endpoint.weight / (host.rqActive + 1);
}
