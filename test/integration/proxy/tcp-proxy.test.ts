// What a TCP proxy decides and reports: which host, how often it tries, when it ends a connection, what it writes down.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { eventually } from "../../support/eventually.ts";
import {
  accessLog,
  cluster,
  listener,
  staticResources,
  startPlane,
  tcpFilter,
  type Json,
  type TestPlane,
} from "../../support/proxy-plane.ts";
import { connectRaw, startRawServer, type RawPeer, type RawServer } from "../../support/raw-peer.ts";

const FORMAT =
  "%RESPONSE_FLAGS% %RESPONSE_CODE% %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% %BYTES_RECEIVED% %BYTES_SENT% %UPSTREAM_CLUSTER%";

interface Relay {
  readonly proxy: TestPlane;
  /** A client that is cut off at once is no error. */
  readonly connect: () => Promise<RawPeer | undefined>;
  /** The lines of the access log, once there are so many. */
  readonly log: (count: number) => Promise<string[]>;
}

async function startRelay(
  context: TestContext,
  clusters: readonly Json[],
  more: { readonly tcp?: Json; readonly listener?: Json } = {},
): Promise<Relay> {
  const folder = mkdtempSync(join(tmpdir(), "meshctl-tcp-"));
  const path = join(folder, "access.log");
  const logs = accessLog(path) as { access_log: { typed_config: Json }[] };
  logs.access_log[0]!.typed_config["log_format"] = { text_format_source: { inline_string: `${FORMAT}\n` } };
  const filter = tcpFilter("up", { ...logs, ...more.tcp });
  const proxy = await startPlane(staticResources([listener([{ filters: [filter] }], more.listener)], clusters));
  context.after(async () => {
    await proxy.stop();
    rmSync(folder, { recursive: true });
  });
  return {
    proxy,
    connect: () => connectRaw(proxy.port()).catch(() => undefined),
    log: (count) =>
      eventually(
        () => {
          const lines = readFileSync(path, "utf8").split("\n").slice(0, -1);
          assert.equal(lines.length, count, lines.join("\n"));
          return lines;
        },
        { withinMs: 3000 },
      ),
  };
}

async function startServer(context: TestContext, name: string): Promise<RawServer> {
  const server = await startRawServer((peer) => void peer.write(name));
  context.after(() => server.stop());
  return server;
}

/** A port where nobody listens. */
async function deadPort(): Promise<number> {
  const server = await startRawServer();
  await server.stop();
  return server.port;
}

const isCut = async (peer: RawPeer | undefined): Promise<void> => void (await peer?.until((each) => each.closed, "close"));

describe("a TCP proxy", () => {
  test("writes down bytes and no flag for a connection that went well", async (context) => {
    const server = await startServer(context, "hello");
    const { connect, log } = await startRelay(context, [cluster("up", [server.port])]);
    const client = (await connect())!;
    await client.receives("hello");
    client.end("bye");
    (await server.peer(0)).end();
    await client.untilEnd();
    assert.deepEqual(await log(1), ["- 0 - - 3 5 up"]);
  });

  test("resets the client when nobody listens", async (context) => {
    const { proxy, connect, log } = await startRelay(context, [cluster("up", [await deadPort()])]);
    await isCut(await connect());
    assert.deepEqual(await log(1), ["UF,URX 0 - upstream_reset_before_response_started{remote_connection_failure} 0 0 up"]);
    assert.equal(proxy.stat("cluster.up.upstream_cx_connect_fail"), 1);
    assert.equal(proxy.stat("cluster.up.upstream_cx_connect_attempts_exceeded"), 1);
    assert.equal(proxy.stat("cluster.up.upstream_cx_active"), 0);
  });

  test("takes the blame where it has no address to connect from", async (context) => {
    const server = await startServer(context, "s");
    const source = { source_address: { address: "203.0.113.7", port_value: 0 } };
    const { connect, log } = await startRelay(context, [cluster("up", [server.port], { upstream_bind_config: source })]);
    await isCut(await connect());
    assert.deepEqual(await log(1), ["UF,URX 0 - upstream_reset_before_response_started{local_connection_failure} 0 0 up"]);
  });

  test("tries another host after a failure, as often as it may", async (context) => {
    const server = await startServer(context, "alive");
    const [dead, deader] = [await deadPort(), await deadPort()];
    const options = { tcp: { max_connect_attempts: 3 } };
    const { proxy, connect } = await startRelay(context, [cluster("up", [dead, deader, server.port])], options);
    for (let index = 0; index < 6; index += 1) {
      const client = (await connect())!;
      await client.receives("alive");
      client.destroy();
    }
    assert.ok(proxy.stat("cluster.up.upstream_cx_connect_fail") > 0, "no dead host was tried");
    assert.equal(proxy.stat("cluster.up.upstream_cx_connect_attempts_exceeded"), 0);
    const none = await startRelay(context, [cluster("up", [dead, deader])], options);
    await isCut(await none.connect());
    assert.equal(none.proxy.stat("cluster.up.upstream_cx_connect_fail"), 3);
    assert.equal(none.proxy.stat("cluster.up.upstream_cx_connect_attempts_exceeded"), 1);
  });

  test("says which limit or lack turned a client away", async (context) => {
    const server = await startServer(context, "1");
    const full = await startRelay(context, [cluster("up", [server.port], { circuit_breakers: { thresholds: [{ max_connections: 1 }] } })]);
    const first = (await full.connect())!;
    await first.receives("1");
    await isCut(await full.connect());
    assert.match((await full.log(1))[0]!, /^UO 0 - \S*overflow\S* 0 0 up$/);
    assert.equal(full.proxy.stat("cluster.up.upstream_cx_overflow"), 1);
    first.reset();
    await eventually(async () => void (await (await full.connect())!.receives("1")), { withinMs: 3000 });
    const empty = await startRelay(context, [cluster("up", [])]);
    await isCut(await empty.connect());
    assert.deepEqual(await empty.log(1), ["UH 0 - no_healthy_upstream 0 0 up"]);
    const unknown = await startRelay(context, [cluster("up", [server.port])]);
    await unknown.proxy.plane.apply({ ...unknown.proxy.config, clusters: new Map() });
    await isCut(await unknown.connect());
    assert.deepEqual(await unknown.log(1), ["NC 0 - cluster_not_found 0 0 up"]);
    assert.equal(unknown.proxy.stat("tcp.test.downstream_cx_no_route"), 1);
  });

  test("shares connections out by the clusters' weights", async (context) => {
    const [one, two] = [await startServer(context, "one"), await startServer(context, "two")];
    const weighted = {
      clusters: [
        { name: "one", weight: 1 },
        { name: "two", weight: 3 },
      ],
    };
    const { connect } = await startRelay(context, [cluster("one", [one.port]), cluster("two", [two.port])], {
      tcp: { cluster: undefined, weighted_clusters: weighted },
    });
    const counts = { one: 0, two: 0 };
    for (let index = 0; index < 200; index += 1) {
      const client = (await connect())!;
      await client.until((peer) => peer.text.length === 3, "name");
      counts[client.text as "one" | "two"] += 1;
      client.destroy();
    }
    // Binomial, 200 times a quarter: below 20 or above 80 once in a million.
    assert.ok(counts.one > 20 && counts.one < 80, `${counts.one} of 200 went to the lighter cluster`);
  });

  test("closes both sides when no byte has passed for the idle time, and not before", async (context) => {
    const server = await startServer(context, "s");
    const { proxy, connect, log } = await startRelay(context, [cluster("up", [server.port])], { tcp: { idle_timeout: "0.3s" } });
    const client = (await connect())!;
    const upstream = await server.peer(0);
    const started = performance.now();
    // Either direction keeps it open.
    for (let index = 0; performance.now() - started < 700; index += 1) {
      (index % 2 === 0 ? client : upstream).write(".");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    assert.equal(client.closed || client.ended, false);
    for (const each of [client, upstream]) await each.until((peer) => peer.closed || peer.ended, "close");
    assert.equal(proxy.stat("tcp.test.idle_timeout"), 1);
    assert.match((await log(1))[0]!, /^SI 0 - tcp_session_idle_timeout /);
  });

  test("ends a half-open connection whose other end has long gone by the idle time", async (context) => {
    const server = await startServer(context, "");
    const { connect } = await startRelay(context, [cluster("up", [server.port])], { tcp: { idle_timeout: "0.2s" } });
    const client = (await connect())!.end("request");
    const upstream = await server.peer(0);
    await upstream.until((peer) => peer.ended, "FIN");
    await upstream.until((peer) => peer.closed || peer.error !== undefined || peer.ended, "close");
    await client.until((peer) => peer.ended || peer.closed, "close");
  });

  test("ends a connection that is as old as one may get, however busy it is", async (context) => {
    const server = await startServer(context, "s");
    const { proxy, connect, log } = await startRelay(context, [cluster("up", [server.port])], {
      tcp: { max_downstream_connection_duration: "0.3s" },
    });
    const client = (await connect())!;
    const busy = setInterval(() => client.write("."), 20);
    await client.until((peer) => peer.closed || peer.ended, "close");
    clearInterval(busy);
    assert.equal(proxy.stat("tcp.test.max_downstream_connection_duration"), 1);
    assert.match((await log(1))[0]!, /^DT 0 - max_connection_duration_reached /);
  });

  test("keeps connections of both sides alive as configured", async (context) => {
    const server = await startServer(context, "s");
    const option = (level: number, name: number, value: number): Json => ({ level, name, int_value: value, state: "STATE_PREBIND" });
    const { proxy, connect } = await startRelay(
      context,
      [cluster("up", [server.port], { upstream_connection_options: { tcp_keepalive: { keepalive_time: 3000, keepalive_interval: 20 } } })],
      { listener: { socket_options: [option(1, 9, 1), option(6, 4, 100), option(6, 5, 10), option(6, 6, 3)] } },
    );
    await (await connect())!.receives("s");
    const upstream = (await server.peer(0)).socket.remotePort!;
    // The only place that tells is the kernel.
    const timerOf = (filter: string): string => execFileSync("ss", ["-tnoH", "state", "established", filter]).toString();
    assert.match(timerOf(`sport = :${proxy.port()}`), /timer:\(keepalive,(1min[34]\d|9\d)/);
    assert.match(timerOf(`sport = :${upstream}`), /timer:\(keepalive,(49|50)min/);
  });
});
