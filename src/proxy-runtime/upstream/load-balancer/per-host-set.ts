// What a load balancer remembers of each set of candidates. With several priorities the sets come in turns, and starting
// anew each time would give a host of small weight no request at all.
import type { UpstreamHost } from "../host.ts";

export class PerHostSet<State> {
  readonly #make: (hosts: readonly UpstreamHost[]) => State;
  readonly #states = new WeakMap<readonly UpstreamHost[], State>();
  #hosts: readonly UpstreamHost[] | undefined = undefined;
  #state: State | undefined = undefined;

  constructor(make: (hosts: readonly UpstreamHost[]) => State) {
    this.#make = make;
  }

  /** The state of this set; sets are compared by identity. */
  of(hosts: readonly UpstreamHost[]): State {
    if (hosts === this.#hosts) return this.#state!;
    let state = this.#states.get(hosts);
    if (state === undefined) this.#states.set(hosts, (state = this.#make(hosts)));
    this.#hosts = hosts;
    this.#state = state;
    return state;
  }
}
