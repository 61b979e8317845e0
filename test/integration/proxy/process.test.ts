// The proxy as a process of its own: how it ends, and that a gigabyte in either direction does not stay in it.
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { eventually } from "../../support/eventually.ts";
import { freePort } from "../../support/free-port.ts";
import { address, cluster, httpFilter, listener, staticResources, toCluster } from "../../support/proxy-plane.ts";
import { connectRaw, ok, startRawServer, type RawPeer, type RawServer } from "../../support/raw-peer.ts";

const MESHCTL = resolve(import.meta.dirname, "../../../bin/meshctl");
const MIB = 1024 * 1024;

interface ProxyProcess {
  readonly port: number;
  readonly child: ChildProcess;
  readonly exit: Promise<number | null>;
  /** What it has logged so far. */
  log(): string;
  rssAnonMib(): number;
}

async function startProxyProcess(context: TestContext, upstreamPort: number, flags: readonly string[] = []): Promise<ProxyProcess> {
  const folder = mkdtempSync(join(tmpdir(), "meshctl-process-"));
  const port = await freePort();
  const file = join(folder, "bootstrap.json");
  const chains = [{ filters: [httpFilter([toCluster("up", { timeout: "0s" })])] }];
  writeFileSync(file, JSON.stringify(staticResources([listener(chains, { address: address(port) })], [cluster("up", [upstreamPort])])));
  const child = spawn(MESHCTL, ["proxy", "--bootstrap", file, ...flags], { stdio: ["ignore", "ignore", "pipe"] });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const exit = new Promise<number | null>((done) => child.once("exit", done));
  context.after(async () => {
    child.kill("SIGKILL");
    await exit;
    rmSync(folder, { recursive: true });
  });
  await eventually(
    async () => {
      assert.equal(child.exitCode, null, stderr);
      (await connectRaw(port)).destroy();
    },
    { withinMs: 10_000 },
  );
  const rssAnonMib = (): number => Number(/^RssAnon:\s+(\d+) kB/m.exec(readFileSync(`/proc/${child.pid!}/status`, "utf8"))![1]) / 1024;
  return { port, child, exit, log: () => stderr, rssAnonMib };
}

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

describe("SIGTERM", () => {
  async function withOpenRequest(
    context: TestContext,
    flags: readonly string[] = [],
  ): Promise<{ proxy: ProxyProcess; server: RawServer; client: RawPeer; upstream: RawPeer }> {
    const server = await startRawServer();
    context.after(() => server.stop());
    const proxy = await startProxyProcess(context, server.port, flags);
    const client = await connectRaw(proxy.port);
    context.after(() => client.destroy());
    client.write(GET);
    const upstream = await server.peer(0);
    await upstream.receives("\r\n\r\n");
    return { proxy, server, client, upstream };
  }

  test("lets the open request end, serves who comes meanwhile, and exits with 0", async (context) => {
    const { proxy, server, client, upstream } = await withOpenRequest(context, ["--drain-time", "20s"]);
    const idle = await connectRaw(proxy.port);
    idle.write(GET);
    const second = await server.peer(1);
    await second.receives("\r\n\r\n");
    second.clear().write(ok("before"));
    await idle.receives("before");
    proxy.child.kill("SIGTERM");
    await eventually(() => assert.match(proxy.log(), /"draining"/), { withinMs: 10_000 });
    // The client of an idle connection may be writing just now: it is served, and told that this was the last.
    second.clear();
    idle.clear().write(GET);
    await second.receives("\r\n\r\n");
    second.clear().write(ok("meanwhile"));
    assert.match(await idle.untilEnd(), /^HTTP\/1\.1 200 [^]*\r\nconnection: close\r\n[^]*meanwhile$/);
    const late = await connectRaw(proxy.port);
    late.write(GET);
    await second.receives("\r\n\r\n");
    second.write(ok("late"));
    assert.match(await late.untilEnd(), /^HTTP\/1\.1 200 [^]*\r\nconnection: close\r\n[^]*late$/);
    assert.equal(proxy.child.exitCode, null);
    upstream.write(ok("done"));
    assert.match(await client.untilEnd(), /^HTTP\/1\.1 200 [^]*\r\nconnection: close\r\n[^]*done$/);
    for (const each of [idle, late, client]) each.destroy();
    assert.equal(await proxy.exit, 0);
  });

  test("a second time ends it at once", async (context) => {
    const { proxy, client } = await withOpenRequest(context, ["--drain-time", "60s"]);
    proxy.child.kill("SIGTERM");
    // A second signal that is sent before the first is taken would be the same one.
    await eventually(() => assert.match(proxy.log(), /"draining"/), { withinMs: 10_000 });
    assert.equal(proxy.child.exitCode, null);
    const started = performance.now();
    proxy.child.kill("SIGTERM");
    assert.equal(await proxy.exit, 0);
    assert.ok(performance.now() - started < 3000);
    await client.until((peer) => peer.closed || peer.ended, "close");
  });

  test("waits no longer than the drain time", async (context) => {
    const { proxy } = await withOpenRequest(context, ["--drain-time", "300ms"]);
    const started = performance.now();
    proxy.child.kill("SIGTERM");
    assert.equal(await proxy.exit, 0);
    assert.ok(performance.now() - started >= 290);
  });
});

describe("a gigabyte", () => {
  const GIB = 1024 * MIB;
  const block = Buffer.alloc(256 * 1024, "x");

  /** Writes `total` bytes as fast as the socket takes them. */
  function pump(peer: RawPeer, total: number): void {
    let left = total;
    const go = (): void => {
      while (left > 0) {
        const piece = left < block.length ? block.subarray(0, left) : block;
        left -= piece.length;
        if (!peer.socket.write(piece)) {
          peer.socket.once("drain", go);
          return;
        }
      }
    };
    go();
  }

  /** Counts instead of keeping; stops reading for a while every 64 MiB. */
  function sink(peer: RawPeer, proxy: ProxyProcess): { readonly bytes: number; readonly peakMib: number } {
    const state = { bytes: 0, peakMib: 0 };
    let nextPause = 64 * MIB;
    peer.socket.removeAllListeners("data");
    peer.socket.on("data", (chunk: Buffer) => {
      state.bytes += chunk.length;
      if (state.bytes < nextPause) return;
      nextPause += 64 * MIB;
      state.peakMib = Math.max(state.peakMib, proxy.rssAnonMib());
      peer.socket.pause();
      setTimeout(() => peer.socket.resume(), 40);
    });
    return state;
  }

  const wait = (check: () => boolean): Promise<void> => eventually(() => assert.ok(check()), { withinMs: 60_000 });

  test("down to a slow reader does not stay in the process", async (context) => {
    const server = await startRawServer((peer) => {
      peer.socket.once("data", () => {
        peer.write(`HTTP/1.1 200 OK\r\nContent-Length: ${GIB}\r\n\r\n`);
        pump(peer, GIB);
      });
    });
    context.after(() => server.stop());
    const proxy = await startProxyProcess(context, server.port);
    const before = proxy.rssAnonMib();
    const client = await connectRaw(proxy.port);
    context.after(() => client.destroy());
    const seen = sink(client, proxy);
    client.write(GET);
    await wait(() => seen.bytes >= GIB);
    assert.ok(seen.peakMib > 0 && seen.peakMib < before + 40, `${before.toFixed(1)} MiB became ${seen.peakMib.toFixed(1)} MiB`);
  });

  test("up to a slow reader, in chunks of 32 MB, does not stay in the process", async (context) => {
    let seen: ReturnType<typeof sink> | undefined;
    const late: { proxy?: ProxyProcess } = {};
    const server = await startRawServer((peer) => {
      if (late.proxy !== undefined) seen = sink(peer, late.proxy);
    });
    context.after(() => server.stop());
    const proxy = (late.proxy = await startProxyProcess(context, server.port));
    const before = proxy.rssAnonMib();
    const client = await connectRaw(proxy.port);
    context.after(() => client.destroy());
    client.write("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    const chunk = Buffer.alloc(32 * MIB, "y");
    for (let count = 0; count < 32; count += 1) {
      client.write(`${chunk.length.toString(16)}\r\n`);
      if (!client.socket.write(chunk)) await new Promise<void>((done) => client.socket.once("drain", done));
      client.write("\r\n");
    }
    client.write("0\r\n\r\n");
    await wait(() => (seen?.bytes ?? 0) >= GIB);
    assert.ok(seen!.peakMib > 0 && seen!.peakMib < before + 40, `${before.toFixed(1)} MiB became ${seen!.peakMib.toFixed(1)} MiB`);
  });
});
