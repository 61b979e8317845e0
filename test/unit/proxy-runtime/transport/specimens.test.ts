import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Specimens } from "../../../../src/proxy-runtime/transport/specimens.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

test("the last eight exchanges stay in memory, and no others", async () => {
  const specimens = new Specimens();
  const refs: WeakRef<object>[] = [];
  for (let index = 0; index < 20; index += 1) {
    const exchange = { index };
    refs.push(new WeakRef(exchange));
    specimens.keep(exchange);
  }
  // A WeakRef holds its object until the job that made it is over.
  await new Promise(setImmediate);
  collect();
  assert.deepEqual(
    refs.map((each) => each.deref() !== undefined),
    [...new Array<boolean>(12).fill(false), ...new Array<boolean>(8).fill(true)],
  );
});
