// Which ports a listener filter looks at, by the predicate that turns it off for some.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { JsonObject } from "@bufbuild/protobuf";
import { formatProblems } from "../../../../src/common/result.ts";
import { decodeListener } from "../../../../src/proxy-runtime/config/decode-listener.ts";
import { complementOf, includesPort, intersectionOf, unionOf, type PortRanges } from "../../../../src/proxy-runtime/config/port-ranges.ts";
import { any, listener, rdsListener } from "../../../support/xds-resources.ts";

const range = (start: number, end: number): JsonObject => ({ destination_port_range: { start, end } });

function decodeWith(off: JsonObject): ReturnType<typeof decodeListener> {
  const typed = any("envoy.extensions.filters.listener.http_inspector.v3.HttpInspector");
  return decodeListener(
    listener({ ...rdsListener("l", "r"), listener_filters: [{ name: "h", typed_config: typed, filter_disabled: off }] }),
  );
}

function ports(off: JsonObject): PortRanges {
  const result = decodeWith(off);
  assert.ok(result.ok, result.ok ? "" : formatProblems(result.problems));
  return result.value.value.httpInspectorPorts;
}

describe("filter_disabled", () => {
  test("takes ports out, of which the end of a range is none", () => {
    assert.deepEqual(ports(range(3306, 3307)), [
      { first: 0, last: 3305 },
      { first: 3307, last: 65535 },
    ]);
    assert.deepEqual(ports({ any_match: true }), []);
    assert.deepEqual(ports({ not_match: range(80, 90) }), [{ first: 80, last: 89 }]);
    assert.deepEqual(ports({ or_match: { rules: [{ not_match: range(0, 100) }, range(10, 20)] } }), [
      { first: 0, last: 9 },
      { first: 20, last: 99 },
    ]);
    assert.deepEqual(ports({ and_match: { rules: [range(10, 65536), range(0, 20)] } }), [
      { first: 0, last: 9 },
      { first: 20, last: 65535 },
    ]);
  });

  test("that says nothing, or a range that is none, is refused", () => {
    const refused: readonly (readonly [JsonObject, RegExp])[] = [
      [{}, /filter_disabled: must not be empty/],
      [range(20, 20), /destination_port_range: must be a range of ports/],
      [{ or_match: { rules: [range(1, 2), range(1, 70000)] } }, /or_match\.rules\[1\]\.destination_port_range/],
    ];
    for (const [off, words] of refused) {
      const result = decodeWith(off);
      assert.match(result.ok ? "" : formatProblems(result.problems), words);
    }
  });
});

test("sets of ports are joined, turned round and cut as sets are", () => {
  const some: PortRanges[] = [
    [{ first: 5, last: 9 }],
    [
      { first: 0, last: 5 },
      { first: 11, last: 65535 },
    ],
    [],
    [{ first: 0, last: 65535 }],
  ];
  for (const a of some) {
    for (const b of some) {
      for (const port of [0, 4, 5, 6, 9, 10, 11, 65535]) {
        const [inA, inB] = [includesPort(a, port), includesPort(b, port)];
        assert.equal(includesPort(unionOf([a, b]), port), inA || inB);
        assert.equal(includesPort(intersectionOf([a, b]), port), inA && inB);
        assert.equal(includesPort(complementOf(a), port), !inA);
      }
    }
  }
});
