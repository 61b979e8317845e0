// The hosts of a cluster by priority, immutable: made anew on every change, read by load balancers. How load spills
// from one priority to the next, and when unhealthy hosts are used after all, is Envoy's arithmetic.
import type { UpstreamHost } from "./host.ts";

export interface PriorityLevel {
  readonly all: readonly UpstreamHost[];
  readonly healthy: readonly UpstreamHost[];
  /** Whether all hosts are used because too few are healthy. */
  readonly panic: boolean;
  /** Percent of the cluster's load; the levels' loads sum to 100, or to 0 without hosts. */
  readonly load: number;
}

export class HostSet {
  readonly all: readonly UpstreamHost[];
  readonly levels: readonly PriorityLevel[];
  readonly #panics: boolean;

  /**
   * @param hosts in any order.
   * @param overprovisioningFactor percent; 140: a level takes all its load down to 71 % of healthy hosts.
   * @param panicThreshold percent of healthy hosts below which all are used; 0 never.
   */
  constructor(hosts: readonly UpstreamHost[], overprovisioningFactor: number, panicThreshold: number) {
    this.all = hosts;
    const count = hosts.reduce((most, host) => Math.max(most, host.priority + 1), 0);
    const groups = Array.from({ length: count }, (_, priority) => hosts.filter((host) => host.priority === priority));
    const healthy = groups.map((group) => group.filter((host) => host.isHealthy));
    const health = groups.map((group, index) =>
      group.length === 0 ? 0 : Math.min(100, (overprovisioningFactor * healthy[index]!.length) / group.length),
    );
    const total = Math.min(
      100,
      health.reduce((sum, each) => sum + each, 0),
    );
    // Nothing is healthy anywhere: load goes by where hosts are, for panic to use them or not.
    const loads =
      total === 0 ? groups.map((group) => (hosts.length === 0 ? 0 : (100 * group.length) / hosts.length)) : spill(health, total);
    this.levels = groups.map((group, index) => {
      const percent = group.length === 0 ? 0 : (100 * healthy[index]!.length) / group.length;
      return { all: group, healthy: healthy[index]!, panic: total < 100 && percent < panicThreshold, load: loads[index]! };
    });
    this.#panics = this.levels.some((level) => level.panic);
  }

  get healthyCount(): number {
    return this.levels.reduce((sum, level) => sum + level.healthy.length, 0);
  }

  /** Whether these candidates are all hosts of a level, too few of which are healthy. */
  isPanic(candidates: readonly UpstreamHost[]): boolean {
    return this.#panics && candidates.length > 0 && this.levels.some((level) => level.panic && level.all === candidates);
  }

  /** Hosts to choose from for one request; empty when there is none. `random` is in [0, 1). */
  candidates(random: number): readonly UpstreamHost[] {
    const { levels } = this;
    if (levels.length === 1) return levels[0]!.panic ? levels[0]!.all : levels[0]!.healthy;
    let rest = random * 100;
    for (const level of levels) {
      if (level.load > 0 && rest < level.load) return level.panic ? level.all : level.healthy;
      rest -= level.load;
    }
    return [];
  }
}

function spill(health: readonly number[], total: number): number[] {
  let left = 100;
  return health.map((each, index) => {
    const share = index === health.length - 1 ? left : Math.min(left, Math.round((each * 100) / total));
    left -= share;
    return share;
  });
}
