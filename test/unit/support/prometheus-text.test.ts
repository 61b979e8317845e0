import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePrometheus } from "../../support/prometheus-text.ts";

const GOOD =
  '# TYPE h histogram\nh_bucket{le="1"} 2\nh_bucket{le="+Inf"} 3\nh_sum{} 9.5\nh_count{} 3\n\n# TYPE c counter\nc{a="x\\"y",b=""} 5\n';

test("reads counters and histograms", () => {
  const metrics = parsePrometheus(GOOD);
  assert.deepEqual(metrics.get("c")!.samples, [{ name: "c", labels: { a: 'x"y', b: "" }, value: 5 }]);
  assert.equal(metrics.get("h")!.samples.length, 4);
});

for (const [title, text] of [
  ["a series twice", `${GOOD}c{a="x\\"y",b=""} 5\n`],
  ["a group torn apart", "# TYPE a counter\na{} 1\nb{} 1\n"],
  ["a second group of one name", '# TYPE a counter\na{} 1\n# TYPE a counter\na{b="1"} 1\n'],
  ["falling buckets", GOOD.replace('le="1"} 2', 'le="1"} 4')],
  ["a count that is not the last bucket", GOOD.replace("h_count{} 3", "h_count{} 4")],
  ["unescaped quotes", '# TYPE a counter\na{b="x"y"} 1\n'],
  ["no line feed at the end", "# TYPE a counter\na{} 1"],
] as const) {
  test(`refuses ${title}`, () => assert.throws(() => parsePrometheus(text)));
}
