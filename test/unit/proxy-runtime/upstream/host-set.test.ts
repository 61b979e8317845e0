import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { HostSet } from "../../../../src/proxy-runtime/upstream/host-set.ts";
import { makeHost } from "../../../support/upstream-hosts.ts";

/** Per priority: healthy and unhealthy hosts. */
function hostSet(levels: readonly (readonly [healthy: number, unhealthy: number])[], { factor = 140, panic = 50 } = {}): HostSet {
  const hosts = levels.flatMap(([healthy, unhealthy], priority) => [
    ...Array.from({ length: healthy }, () => makeHost({ priority })),
    ...Array.from({ length: unhealthy }, () => makeHost({ priority, health: "unhealthy" })),
  ]);
  return new HostSet(hosts, factor, panic);
}

const loads = (set: HostSet): number[] => set.levels.map((level) => level.load);

describe("load over priorities", () => {
  const cases: readonly [title: string, levels: [number, number][], wanted: number[]][] = [
    [
      "stays with the first while it is healthy",
      [
        [4, 0],
        [4, 0],
      ],
      [100, 0],
    ],
    [
      "stays with the first down to 72 % healthy hosts",
      [
        [72, 28],
        [10, 0],
      ],
      [100, 0],
    ],
    [
      "spills from the first below 71 %",
      [
        [5, 5],
        [4, 0],
      ],
      [70, 30],
    ],
    [
      "spills on to the third",
      [
        [1, 3],
        [1, 3],
        [4, 0],
      ],
      [35, 35, 30],
    ],
    [
      "goes to the next when nobody is healthy in the first",
      [
        [0, 3],
        [3, 0],
      ],
      [0, 100],
    ],
    [
      "is scaled up when all together are too few",
      [
        [1, 4],
        [1, 4],
      ],
      [50, 50],
    ],
    [
      "skips a priority without hosts",
      [
        [0, 0],
        [2, 0],
      ],
      [0, 100],
    ],
    [
      "goes by hosts when nobody is healthy at all",
      [
        [0, 1],
        [0, 3],
      ],
      [25, 75],
    ],
  ];
  for (const [title, levels, wanted] of cases) test(title, () => assert.deepEqual(loads(hostSet(levels)), wanted));

  test("follows another overprovisioning factor", () =>
    assert.deepEqual(
      loads(
        hostSet(
          [
            [5, 5],
            [4, 0],
          ],
          { factor: 100 },
        ),
      ),
      [50, 50],
    ));

  test("is what candidates are drawn by", () => {
    const set = hostSet([
      [5, 5],
      [4, 0],
    ]);
    assert.equal(set.candidates(0), set.levels[0]!.healthy);
    assert.equal(set.candidates(0.699), set.levels[0]!.healthy);
    assert.equal(set.candidates(0.701), set.levels[1]!.healthy);
    assert.equal(set.candidates(0.9999), set.levels[1]!.healthy);
  });
});

describe("panic", () => {
  test("uses all hosts of a priority with too few healthy ones", () => {
    const set = hostSet([[1, 3]]);
    assert.equal(set.levels[0]!.panic, true);
    assert.equal(set.candidates(0.5).length, 4);
  });

  test("is off while other priorities carry the load", () => {
    const set = hostSet([
      [1, 3],
      [4, 0],
    ]);
    assert.deepEqual(
      set.levels.map((level) => level.panic),
      [false, false],
    );
  });

  test("begins below the threshold, not at it", () => {
    assert.equal(hostSet([[2, 2]]).levels[0]!.panic, false);
    assert.equal(hostSet([[2, 2]], { panic: 51 }).levels[0]!.panic, true);
  });

  test("never comes with threshold 0: then there is no host at all", () => {
    const set = hostSet([[0, 3]], { panic: 0 });
    assert.deepEqual(set.candidates(0.5), []);
  });
});

describe("a host set", () => {
  test("counts unknown and degraded hosts as healthy, draining and timed out ones not", () => {
    const healths = ["healthy", "unknown", "degraded", "unhealthy", "draining", "timeout"] as const;
    const set = new HostSet(
      healths.map((health) => makeHost({ health })),
      140,
      0,
    );
    assert.equal(set.healthyCount, 3);
  });

  test("without hosts has no candidates", () => {
    assert.deepEqual(new HostSet([], 140, 50).candidates(0.3), []);
  });
});

test("a set knows whether it offers unhealthy hosts because too few are healthy", () => {
  const few = new HostSet([makeHost(), makeHost({ health: "unhealthy" }), makeHost({ health: "unhealthy" })], 140, 50);
  assert.ok(few.isPanic(few.candidates(0)));
  const enough = new HostSet([makeHost(), makeHost(), makeHost({ health: "unhealthy" })], 140, 50);
  assert.ok(!enough.isPanic(enough.candidates(0)));
  const none = new HostSet([], 140, 50);
  assert.ok(!none.isPanic(none.candidates(0)));
});
