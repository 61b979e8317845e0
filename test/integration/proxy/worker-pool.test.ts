// What becomes of the pool when a worker dies, hangs or never starts. Real workers; the clock is the test's.
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { UserError } from "../../../src/common/user-error.ts";
import { parseBootstrap } from "../../../src/proxy-runtime/config/bootstrap.ts";
import type { ProxyConfig } from "../../../src/proxy-runtime/config/proxy-config.ts";
import { StatsStore } from "../../../src/proxy-runtime/telemetry/stats-store.ts";
import { UNKNOWN_WORKLOAD } from "../../../src/proxy-runtime/telemetry/workload-facts.ts";
import { WorkerPool } from "../../../src/proxy-runtime/workers/worker-pool.ts";
import { eventually } from "../../support/eventually.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { strike } from "../../support/mortal-worker.ts";
import { accessLog, httpFilter, listener, staticResources, type Json } from "../../support/proxy-plane.ts";
import { connectRaw } from "../../support/raw-peer.ts";

const MORTAL = new URL("../../support/mortal-worker.ts", import.meta.url);
const GET = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
const within = { withinMs: 20_000 };

interface TestPool {
  readonly pool: WorkerPool;
  readonly stats: StatsStore;
  readonly clock: ManualClock;
  readonly errors: { readonly message: string; readonly fields: Readonly<Record<string, unknown>> }[];
  readonly value: (name: string) => Promise<number>;
}

function startPool(context: TestContext, entry = MORTAL): TestPool {
  const stats = new StatsStore();
  const clock = new ManualClock();
  const errors: TestPool["errors"] = [];
  const onLog = (level: string, message: string, fields: Readonly<Record<string, unknown>>): void =>
    void (level === "error" && errors.push({ message, fields }));
  const pool = new WorkerPool({ count: 2, entry, workload: UNKNOWN_WORKLOAD, clock, stats, onLog });
  context.after(async () => {
    const stopped = pool.stop();
    await clock.advance(2000);
    await stopped;
  });
  const value = async (name: string): Promise<number> => {
    await pool.stats.settle();
    const series = [...pool.stats.series()].find((each) => each.name === name);
    return series === undefined ? 0 : pool.stats.value(series);
  };
  return { pool, stats, clock, errors, value };
}

async function answering(body: string, more: Json = {}, manager: Json = {}): Promise<ProxyConfig> {
  const route = { match: { prefix: "/" }, direct_response: { status: 200, body: { inline_string: body } } };
  const bootstrap = staticResources([listener([{ filters: [httpFilter([route], manager)] }], more)], []);
  return (await parseBootstrap(JSON.stringify(bootstrap), "test.json")).statics;
}

async function ask(port: number): Promise<string> {
  const peer = await connectRaw(port);
  const text = await peer.write(GET).untilEnd();
  peer.destroy();
  return text.slice(text.indexOf("\r\n\r\n") + 4);
}

/** On so many connections that each worker gets some. */
async function askMany(port: number): Promise<string[]> {
  const bodies = await Promise.all(Array.from({ length: 32 }, () => ask(port)));
  return [...new Set(bodies)].sort();
}

test("the others serve while a worker is dead, and its follower has the newest configuration", async (context) => {
  const { pool, clock, errors, value } = startPool(context);
  assert.deepEqual(await pool.apply(await answering("old")), []);
  const [bound, ...more] = await pool.listeners();
  assert.equal(more.length, 0, "a port that the system chose is the same in all workers");
  const { port } = bound!;
  assert.deepEqual(await askMany(port), ["old"]);
  assert.equal(await value("http.test.downstream_rq_total"), 32);

  await strike({ worker: 1, kind: "throw" });
  await eventually(() => assert.equal(errors.length, 1), within);
  assert.equal(errors[0]!.message, "a worker died and is started again");
  assert.match(String(errors[0]!.fields["reason"]), /struck by the test\n {4}at /);
  assert.equal(await value("server.worker_restarts"), 1);
  assert.equal(await value("http.test.downstream_rq_total"), 32);

  let isApplied = false;
  const applied = answering("new")
    .then((config) => pool.apply(config))
    .then((failures) => {
      isApplied = true;
      return failures;
    });
  await eventually(async () => assert.deepEqual(await askMany(port), ["new"]), within);
  assert.equal(isApplied, false, "a configuration is in force when all workers have it");
  await clock.advance(100);
  assert.deepEqual(await applied, []);
  const before = await value("http.test.downstream_rq_total");
  assert.deepEqual(await askMany(port), ["new"]);
  assert.equal(await value("http.test.downstream_rq_total"), before + 32);

  // What is answered now comes from the follower.
  await strike({ worker: 0, kind: "throw" });
  await eventually(() => assert.equal(errors.length, 2), within);
  assert.deepEqual(await askMany(port), ["new"]);
  assert.equal(await value("http.test.downstream_rq_total"), before + 64);
  assert.equal(await value("listener_manager.total_listeners_active"), 1);
});

test("a worker that dies while it drains is followed by one that drains", async (context) => {
  const { pool, clock, errors } = startPool(context);
  await pool.apply(await answering("here"));
  const { port } = (await pool.listeners())[0]!;
  await pool.drain({ inboundOnly: false, close: false });
  for (const worker of [0, 1]) await strike({ worker, kind: "throw" });
  await eventually(() => assert.equal(errors.length, 2), within);
  await assert.rejects(connectRaw(port), { code: "ECONNREFUSED" });
  await clock.advance(100);
  await eventually(async () => {
    const peer = await connectRaw(port);
    context.after(() => peer.destroy());
    assert.match(await peer.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n").receives("here"), /^connection: close\r$/im);
  }, within);
});

test("a worker that hangs is left out of answers, and counts as one that is at work", async (context) => {
  const { pool, clock } = startPool(context);
  await pool.apply(await answering("here"));
  await strike({ worker: 1, kind: "hang" });
  const asked = Promise.all([pool.listeners(), pool.hosts(), pool.stats.settle(), pool.activeConnections()]);
  // The other one's answers come before the time is up.
  await eventually(() => assert.equal(clock.pending, 4), within);
  await clock.advance(2000);
  const [listeners, , , connections] = await asked;
  assert.equal(listeners.length, 1);
  assert.equal(connections, 1);
  const stopped = pool.stop();
  await eventually(() => assert.equal(clock.pending, 1), within);
  await clock.advance(2000);
  await stopped;
});

test("workers that never start are tried again, more and more seldom, until the pool is stopped", async (context) => {
  const { pool, clock, errors, value } = startPool(context, new URL("data:text/javascript,throw new Error('no such thing')"));
  let isApplied = false;
  const applied = pool.apply(await answering("nobody")).finally(() => (isApplied = true));
  for (let deaths = 2; deaths <= 8; deaths += 2) {
    await eventually(() => assert.equal(errors.length, deaths), within);
    await clock.advance(10_000);
  }
  assert.match(String(errors[0]!.fields["reason"]), /no such thing/);
  assert.ok(errors.every(({ fields }) => (fields["inMs"] as number) <= 800));
  assert.equal(isApplied, false);
  assert.ok((await value("server.worker_restarts")) >= 8);
  await pool.stop();
  assert.deepEqual(await applied, [], "who waits for them is let go");
});

test("a mistake that shows when a configuration is applied arrives as what it is", async (context) => {
  const { pool, errors } = startPool(context);
  const config = await answering("logged", {}, accessLog("/nonexistent/folder/log"));
  await assert.rejects(
    pool.apply(config),
    (error) => error instanceof UserError && error.message.includes("/nonexistent/folder/log") && error.hint !== undefined,
  );
  assert.deepEqual(await pool.apply(await answering("not logged")), []);
  assert.deepEqual(errors, []);
});

test("an address that can't be had fails once, for all", async (context) => {
  const { pool } = startPool(context);
  const config = await answering("nowhere", { address: { socket_address: { address: "192.0.2.1", port_value: 80 } } });
  assert.deepEqual(await pool.apply(config), [{ listener: "main", host: "192.0.2.1", port: 80, code: "EADDRNOTAVAIL" }]);
});
