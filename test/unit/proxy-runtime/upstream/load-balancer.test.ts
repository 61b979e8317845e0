// One suite for every load balancer, then what each promises by itself.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { UpstreamHost } from "../../../../src/proxy-runtime/upstream/host.ts";
import { LeastRequest } from "../../../../src/proxy-runtime/upstream/load-balancer/least-request.ts";
import type { LoadBalancer } from "../../../../src/proxy-runtime/upstream/load-balancer/load-balancer.ts";
import { RandomChoice } from "../../../../src/proxy-runtime/upstream/load-balancer/random.ts";
import { RoundRobin } from "../../../../src/proxy-runtime/upstream/load-balancer/round-robin.ts";
import { makeHost, seededRandom } from "../../../support/upstream-hosts.ts";

const BALANCERS: Record<string, (random: () => number) => LoadBalancer> = {
  "round robin": (random) => new RoundRobin(random),
  "least request": (random) => new LeastRequest(random, 2),
  random: (random) => new RandomChoice(random),
};

/** How often each host was picked. */
function count(balancer: LoadBalancer, hosts: readonly UpstreamHost[], picks: number): number[] {
  const counts = hosts.map(() => 0);
  for (let pick = 0; pick < picks; pick += 1) counts[hosts.indexOf(balancer.pick(hosts)!)]! += 1;
  return counts;
}

function near(actual: number, wanted: number, tolerance: number, what: string): void {
  assert.ok(Math.abs(actual - wanted) <= tolerance, `${what}: ${actual}, wanted ${wanted} ± ${tolerance}`);
}

for (const [name, make] of Object.entries(BALANCERS)) {
  describe(`the ${name} balancer`, () => {
    test("has nothing to pick from no hosts, and one of one", () => {
      const [only] = [makeHost()];
      assert.equal(make(seededRandom(1)).pick([]), undefined);
      assert.equal(make(seededRandom(1)).pick([only]), only);
    });

    test("gives equal hosts equal shares", () => {
      const hosts = [makeHost(), makeHost(), makeHost(), makeHost()];
      for (const each of count(make(seededRandom(5)), hosts, 8000)) near(each, 2000, 200, name);
    });

    test("gives hosts the share of their weights", () => {
      const hosts = [makeHost({ weight: 1 }), makeHost({ weight: 2 }), makeHost({ weight: 7 })];
      const [one, two, seven] = count(make(seededRandom(5)), hosts, 10_000);
      near(one!, 1000, 150, "weight 1");
      near(two!, 2000, 200, "weight 2");
      near(seven!, 7000, 300, "weight 7");
    });

    test("keeps the shares when two sets of hosts take turns", () => {
      const first = [makeHost({ weight: 1 }), makeHost({ weight: 99 })];
      const second = [makeHost({ weight: 3 }), makeHost({ weight: 1 })];
      const balancer = make(seededRandom(11));
      const counts = new Map<UpstreamHost, number>();
      for (let pick = 0; pick < 20_000; pick += 1) {
        const host = balancer.pick(pick % 2 === 0 ? first : second)!;
        counts.set(host, (counts.get(host) ?? 0) + 1);
      }
      near(counts.get(first[0]!) ?? 0, 100, 50, "weight 1 of 100");
      near(counts.get(second[0]!) ?? 0, 7500, 300, "weight 3 of 4");
    });

    test("takes over a changed set at once", () => {
      const hosts = [makeHost(), makeHost(), makeHost()];
      const balancer = make(seededRandom(3));
      count(balancer, hosts, 10);
      const fewer = hosts.slice(0, 2);
      for (let pick = 0; pick < 20; pick += 1) assert.ok(fewer.includes(balancer.pick(fewer)!));
    });
  });
}

test("round robin takes equal hosts strictly in turn, from a random start", () => {
  const hosts = [makeHost(), makeHost(), makeHost()];
  const starts = new Set<UpstreamHost>();
  for (let seed = 1; seed < 40; seed += 1) {
    const random = seededRandom(seed * 9999);
    random();
    const balancer = new RoundRobin(random);
    const round = [0, 1, 2, 3, 4, 5].map(() => balancer.pick(hosts)!);
    starts.add(round[0]!);
    assert.equal(new Set(round.slice(0, 3)).size, 3);
    assert.deepEqual(round.slice(0, 3), round.slice(3));
  }
  assert.equal(starts.size, 3);
});

test("least request prefers the host with fewer requests under way", () => {
  const hosts = [makeHost(), makeHost()];
  hosts[0]!.rqActive = 5;
  const [busy, free] = count(new LeastRequest(seededRandom(2), 2), hosts, 4000);
  // Of two draws with replacement the busy one wins only when it is drawn twice.
  near(busy!, 1000, 150, "busy");
  near(free!, 3000, 150, "free");
});

test("least request with weights takes load into account", () => {
  const hosts = [makeHost({ weight: 2 }), makeHost({ weight: 1 })];
  hosts[0]!.rqActive = 3;
  const [loaded, idle] = count(new LeastRequest(seededRandom(2), 2), hosts, 3000);
  // 2 / (3 + 1) against 1 / (0 + 1).
  near(loaded!, 1000, 30, "loaded");
  near(idle!, 2000, 30, "idle");
});
