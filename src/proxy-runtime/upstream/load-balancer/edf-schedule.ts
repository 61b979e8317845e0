// Earliest deadline first: hosts in turn, each as often as its weight says. A host's next deadline is the present one
// plus 1/weight, as in Envoy's EdfScheduler. Sets are small, so the earliest is found by looking at all.
import type { UpstreamHost } from "../host.ts";

export class EdfSchedule {
  readonly #hosts: readonly UpstreamHost[];
  readonly #deadlines: Float64Array;
  #now = 0;

  /** `start` in [0, 1): where in the first round to begin, so that many proxies don't begin with the same host. */
  constructor(hosts: readonly UpstreamHost[], start: number) {
    this.#hosts = hosts;
    this.#deadlines = new Float64Array(hosts.length);
    for (let index = 0; index < hosts.length; index += 1) this.#deadlines[index] = 1 / hosts[index]!.endpoint.weight;
    const turns = Math.floor(start * hosts.length);
    for (let turn = 0; turn < turns; turn += 1) this.next(weightOf);
  }

  /** The next host. `weight` is asked when a host is put back, so weights may move with load. */
  next(weight: (host: UpstreamHost) => number): UpstreamHost {
    const deadlines = this.#deadlines;
    let earliest = 0;
    for (let index = 1; index < deadlines.length; index += 1) if (deadlines[index]! < deadlines[earliest]!) earliest = index;
    this.#now = deadlines[earliest]!;
    const host = this.#hosts[earliest]!;
    deadlines[earliest] = this.#now + 1 / weight(host);
    return host;
  }
}

export function weightOf(host: UpstreamHost): number {
  return host.endpoint.weight;
}
