import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { describe, mock, test } from "node:test";
import { queryObjects } from "node:v8";
import { TimerEntry, Timers } from "../../../../src/proxy-runtime/transport/timers.ts";
import { eventually } from "../../../support/eventually.ts";

function recorder() {
  const fired: number[] = [];
  const entry = (kind: number): TimerEntry => new TimerEntry({ onTimer: (each) => void fired.push(each) }, kind);
  return { fired, entry };
}

const settled = (fired: unknown[], count: number): Promise<void> =>
  // The list's timer doesn't keep the process alive; this wait does.
  eventually(() => assert.equal(fired.length, count), { withinMs: 2000 });

describe("timers", () => {
  test("fire once per arming, in the order of arming, never early", async () => {
    const { fired, entry } = recorder();
    const timers = new Timers();
    const start = performance.now();
    let at = 0;
    timers.arm(new TimerEntry({ onTimer: () => void (at = performance.now()) }, 0), 30);
    for (const kind of [1, 2, 3]) timers.arm(entry(kind), 30);
    await settled(fired, 3);
    assert.deepEqual(fired, [1, 2, 3]);
    assert.ok(at - start >= 30, `fired after ${at - start} ms`);
  });

  test("don't fire once disarmed, and once only when armed twice", async () => {
    const { fired, entry } = recorder();
    const timers = new Timers();
    const [off, again, last] = [entry(1), entry(2), entry(3)];
    for (const each of [off, again, last]) timers.arm(each, 20);
    timers.disarm(off);
    timers.disarm(off);
    timers.arm(again, 20);
    assert.deepEqual([off.isArmed, again.isArmed], [false, true]);
    await settled(fired, 2);
    assert.deepEqual(fired.toSorted(), [2, 3]);
    assert.equal(again.isArmed, false);
  });

  test("leave the first word to what has arrived while the loop was busy", async (context) => {
    const server = createServer();
    context.after(() => server.close());
    await once(server.listen(0, "127.0.0.1"), "listening");
    const accepted = once(server, "connection");
    const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
    const [peer] = (await accepted) as [Socket];
    context.after(() => client.destroy());
    const { fired, entry } = recorder();
    const timers = new Timers();
    const [awaited, other] = [entry(1), entry(2)];
    client.once("data", () => timers.disarm(awaited));
    for (const each of [awaited, other]) timers.arm(each, 30);
    peer.write("in time");
    const busyUntil = performance.now() + 100;
    while (performance.now() < busyUntil);
    await settled(fired, 1);
    assert.deepEqual(fired, [2]);
  });

  test("armed again while they run fire when the last arming says, to a 256th of their time", (context) => {
    const pending: { callback: () => void; at: number }[] = [];
    let now = 0;
    context.mock.method(performance, "now", () => now);
    context.mock.method(globalThis, "setTimeout", ((callback: () => void, delayMs: number) => {
      pending.push({ callback, at: now + delayMs });
      return { unref: () => ({}) };
    }) as unknown as typeof setTimeout);
    const firedAt = new Map<number, number>();
    const timers = new Timers();
    const entries = [1, 2, 3].map((kind) => new TimerEntry({ onTimer: () => void firedAt.set(kind, now) }, kind));
    for (const entry of entries) timers.arm(entry, 1000);
    for (now = 1; now <= 2500; now += 1) {
      if (now === 400) timers.arm(entries[0]!, 1000);
      if (now === 401) timers.suspend(entries[1]!);
      if (now === 900) timers.arm(entries[0]!, 1000);
      if (now === 1200) timers.arm(entries[1]!, 1000);
      for (const each of pending.splice(0).sort((left, right) => left.at - right.at)) {
        if (each.at > now) pending.push(each);
        else each.callback();
      }
    }
    assert.equal(firedAt.get(3), 1000);
    assert.ok(firedAt.get(1)! >= 1900 && firedAt.get(1)! <= 1905, String(firedAt.get(1)));
    assert.equal(firedAt.get(2), 2200);
    assert.deepEqual(
      entries.map((each) => each.isArmed),
      [false, false, false],
    );
  });

  test("may change their duration", async () => {
    const { fired, entry } = recorder();
    const timers = new Timers();
    const moved = entry(1);
    timers.arm(moved, 10_000);
    timers.arm(entry(2), 40);
    timers.arm(moved, 10);
    await settled(fired, 2);
    assert.deepEqual(fired, [1, 2]);
  });

  test("armed again by their own owner need one Node timer, not one more each time", (context) => {
    let set = 0;
    const callbacks: (() => void)[] = [];
    let now = 0;
    context.mock.method(performance, "now", () => now);
    const fake = ((callback: () => void) => {
      set += 1;
      callbacks.push(callback);
      return { unref: () => ({}) };
    }) as unknown as typeof setTimeout;
    mock.method(globalThis, "setTimeout", fake);
    try {
      const timers = new Timers();
      const entry: TimerEntry = new TimerEntry({ onTimer: () => timers.arm(entry, 10) }, 0);
      timers.arm(entry, 10);
      timers.arm(new TimerEntry({ onTimer: () => undefined }, 0), 10);
      for (let round = 1; round <= 5; round += 1) {
        now += 10;
        for (const callback of callbacks.splice(0)) callback();
        assert.equal(set, 1 + round);
      }
    } finally {
      mock.restoreAll();
    }
  });

  test("of ever new durations leave nothing behind", async (context) => {
    const callbacks: (() => void)[] = [];
    const real = globalThis.setTimeout;
    // Not node:test's mock, which remembers every call and what it was called with.
    globalThis.setTimeout = ((callback: () => void) => {
      callbacks.push(callback);
      return { unref: () => ({}) };
    }) as unknown as typeof setTimeout;
    context.after(() => (globalThis.setTimeout = real));
    const timers = new Timers();
    const one = recorder().entry(1);
    timers.arm(one, 1);
    const listClass = one.list!.constructor;
    for (let durationMs = 1; durationMs <= 500; durationMs += 1) timers.arm(one, durationMs);
    timers.disarm(one);
    assert.ok(queryObjects(listClass, { format: "count" }) >= 500);
    for (const callback of callbacks.splice(0)) callback();
    // Late as they are, they wait for what has arrived.
    await new Promise((done) => setImmediate(done));
    assert.ok(queryObjects(listClass, { format: "count" }) < 10);
  });

  test("of more than 24.8 days wait instead of keeping the process busy", (context) => {
    const delays: number[] = [];
    context.mock.method(globalThis, "setTimeout", ((_callback: () => void, delayMs: number) => {
      delays.push(delayMs);
      return { unref: () => ({}) };
    }) as unknown as typeof setTimeout);
    new Timers().arm(recorder().entry(1), 60 * 24 * 3_600_000);
    // What setTimeout takes at most; anything above becomes 1.
    assert.deepEqual(delays, [2 ** 31 - 1]);
  });
});
