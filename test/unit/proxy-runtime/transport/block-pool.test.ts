import assert from "node:assert/strict";
import { test } from "node:test";
import { BlockPool } from "../../../../src/proxy-runtime/transport/block-pool.ts";

test("blocks that are used again and again are kept, and few of them when traffic has gone", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  // 32 blocks of 64 KB stay.
  const pool = new BlockPool(65_536);
  const useAtOnce = (count: number): void => {
    const blocks = Array.from({ length: count }, () => pool.take());
    for (const each of blocks) each.release();
  };
  for (let second = 0; second < 5; second += 1) {
    for (let turn = 0; turn < 10; turn += 1) useAtOnce(100);
    assert.equal(pool.freeBlocks, 100);
    context.mock.timers.tick(1000);
    assert.equal(pool.freeBlocks, 100);
  }
  useAtOnce(40);
  context.mock.timers.tick(1000);
  assert.equal(pool.freeBlocks, 40);
  context.mock.timers.tick(1000);
  assert.equal(pool.freeBlocks, 32);
});

test("what is in use does not count as free", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const pool = new BlockPool(65_536);
  const held = Array.from({ length: 50 }, () => pool.take());
  const others = Array.from({ length: 50 }, () => pool.take());
  for (const each of others) each.release();
  context.mock.timers.tick(1000);
  assert.equal(pool.freeBlocks, 50);
  context.mock.timers.tick(1000);
  assert.equal(pool.freeBlocks, 32);
  for (const each of held) each.release();
  assert.equal(pool.freeBlocks, 82);
});
