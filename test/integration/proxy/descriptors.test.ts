// A proxy that has no descriptors left, as a process of its own whose limit is low: it lives on, wastes no time, and serves
// again when connections have gone.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { test, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { eventually } from "../../support/eventually.ts";
import { freePort } from "../../support/free-port.ts";
import { accessLog, address, cluster, listener, staticResources, tcpFilter } from "../../support/proxy-plane.ts";
import { connectRaw, startRawServer, type RawPeer } from "../../support/raw-peer.ts";

const MESHCTL = resolve(import.meta.dirname, "../../../bin/meshctl");
const LIMIT = 100;
const CLIENTS = 200;
/** Clock ticks in a second, as /proc counts. */
const TICKS = 100;

async function startLimited(context: TestContext, upstreamPort: number) {
  const folder = mkdtempSync(join(tmpdir(), "meshctl-descriptors-"));
  const port = await freePort();
  const [file, log] = [join(folder, "bootstrap.json"), join(folder, "access.log")];
  const chains = [{ filters: [tcpFilter("up", accessLog(log))] }];
  writeFileSync(file, JSON.stringify(staticResources([listener(chains, { address: address(port) })], [cluster("up", [upstreamPort])])));
  const child = spawn("sh", ["-c", `ulimit -n ${LIMIT} && exec "$0" proxy --bootstrap "$1"`, MESHCTL, file], { stdio: "ignore" });
  context.after(async () => {
    child.kill("SIGKILL");
    await new Promise((done) => child.once("exit", done));
    rmSync(folder, { recursive: true });
  });
  await eventually(async () => (await connectRaw(port)).destroy(), { withinMs: 10_000 });
  return {
    port,
    isAlive: () => child.exitCode === null && child.signalCode === null,
    descriptors: () => readdirSync(`/proc/${child.pid}/fd`).length,
    cpuSeconds() {
      const fields = readFileSync(`/proc/${child.pid}/stat`, "latin1").split(") ")[1]!.split(" ");
      return (Number(fields[11]) + Number(fields[12])) / TICKS;
    },
    log: () => readFileSync(log, "utf8"),
  };
}

const isOver = (peer: RawPeer): boolean => peer.closed || peer.ended || peer.error !== undefined;

test("more connections than descriptors are turned away, without harm to the others and to the proxy", async (context) => {
  const server = await startRawServer((peer) => void peer.socket.on("data", (chunk) => peer.socket.write(chunk)));
  const proxy = await startLimited(context, server.port);
  const idle = proxy.descriptors();
  const first = await connectRaw(proxy.port);
  first.write("first");
  await first.receives("first");
  const clients: RawPeer[] = [];
  context.after(async () => {
    for (const each of [first, ...clients]) each.destroy();
    await server.stop();
  });
  for (let index = 0; index < CLIENTS; index += 1) {
    const client = await connectRaw(proxy.port).catch(() => undefined);
    client?.write("x");
    if (client !== undefined) clients.push(client);
  }
  // Each is either served or turned away; none hangs.
  await eventually(() => assert.ok(clients.every((each) => each.text === "x" || isOver(each))), { withinMs: 10_000 });
  const served = clients.filter((each) => each.text === "x");
  assert.ok(served.length > 10 && served.length < LIMIT / 2, `${served.length} were served`);
  assert.ok(proxy.isAlive());
  // With nothing to accept into, it sleeps.
  const before = proxy.cpuSeconds();
  await delay(500);
  assert.ok(proxy.cpuSeconds() - before < 0.25, `${(proxy.cpuSeconds() - before).toFixed(2)} s of CPU in half a second`);
  // Who is there is served, and there is room again when they have gone.
  first.write(" again");
  await first.receives("first again");
  for (const each of clients) each.destroy();
  for (const each of server.peers.slice(2)) each.destroy();
  await eventually(
    async () => {
      const late = await connectRaw(proxy.port);
      clients.push(late);
      late.write("late");
      await late.receives("late");
    },
    { withinMs: 10_000 },
  );
  for (const each of [first, ...clients, ...server.peers]) each.destroy();
  await eventually(() => assert.ok(proxy.descriptors() <= idle), { withinMs: 10_000 });
  // Those that were accepted and not connected: ours is the lack, not the server's.
  await eventually(() => assert.match(proxy.log(), /UF,URX/), { withinMs: 3000 });
});
