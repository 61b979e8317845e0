// ROUND_ROBIN: one after the other from a random start; by weight where weights differ.
import type { UpstreamHost } from "../host.ts";
import { EdfSchedule, weightOf } from "./edf-schedule.ts";
import { haveEqualWeights, type LoadBalancer } from "./load-balancer.ts";
import { PerHostSet } from "./per-host-set.ts";

interface Turn {
  readonly schedule: EdfSchedule | undefined;
  next: number;
}

export class RoundRobin implements LoadBalancer {
  readonly #turns: PerHostSet<Turn>;

  constructor(random: () => number) {
    this.#turns = new PerHostSet((hosts) => ({
      schedule: haveEqualWeights(hosts) ? undefined : new EdfSchedule(hosts, random()),
      next: Math.floor(random() * hosts.length),
    }));
  }

  pick(hosts: readonly UpstreamHost[]): UpstreamHost | undefined {
    if (hosts.length <= 1) return hosts[0];
    const turn = this.#turns.of(hosts);
    if (turn.schedule !== undefined) return turn.schedule.next(weightOf);
    turn.next = turn.next + 1 < hosts.length ? turn.next + 1 : 0;
    return hosts[turn.next];
  }
}
