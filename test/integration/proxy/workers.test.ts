// `meshctl proxy --concurrency 2` as a process of its own: two workers that look like one proxy from outside.
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { request } from "undici";
import { TypeUrl } from "../../../src/xds/names.ts";
import { eventually } from "../../support/eventually.ts";
import { freePort } from "../../support/free-port.ts";
import { parsePrometheus } from "../../support/prometheus-text.ts";
import { address, cluster, httpFilter, listener, plainHop, staticResources, tlsSocket, type Json } from "../../support/proxy-plane.ts";
import { connectRaw, connectRawTls, ok, startHttpPeer, startRawServer, type RawPeer } from "../../support/raw-peer.ts";
import { runMeshctl } from "../../support/run-meshctl.ts";
import { ScriptedAdsServer } from "../../support/scripted-ads-server.ts";
import { certificateSecret, createIdentities } from "../../support/test-identities.ts";
import * as resources from "../../support/xds-resources.ts";

const MESHCTL = resolve(import.meta.dirname, "../../../bin/meshctl");
const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
/** So many that each worker gets some. */
const MANY = 32;
const within = { withinMs: 10_000 };

interface Workers {
  readonly child: ChildProcess;
  readonly folder: string;
  readonly exit: Promise<number | null>;
  log(): string;
  admin(path: string, method?: "GET" | "POST"): Promise<string>;
  /** Of a counter or gauge in /stats. */
  stat(name: string): Promise<number>;
  port(listener?: string): Promise<number>;
}

async function start(context: TestContext, bootstrap: Json, concurrency = 2): Promise<Workers> {
  const folder = mkdtempSync(join(tmpdir(), "meshctl-workers-"));
  const adminPort = await freePort();
  const file = join(folder, "bootstrap.json");
  writeFileSync(file, JSON.stringify({ ...bootstrap, admin: { address: address(adminPort) } }));
  const args = ["proxy", "--bootstrap", file, "--concurrency", String(concurrency), "--drain-time", "20s"];
  const child = spawn(MESHCTL, args, { stdio: ["ignore", "pipe", "pipe"], cwd: folder });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const exit = new Promise<number | null>((done) => child.once("exit", done));
  context.after(async () => {
    child.kill("SIGKILL");
    await exit;
    rmSync(folder, { recursive: true });
  });
  const admin: Workers["admin"] = async (path, method = "GET") => {
    const { body } = await request(`http://127.0.0.1:${adminPort}${path}`, { method });
    return body.text();
  };
  await eventually(async () => {
    assert.equal(child.exitCode, null, stderr);
    await admin("/ready");
  }, within);
  return {
    child,
    folder,
    exit,
    log: () => stderr,
    admin,
    async stat(name) {
      const line = (await admin("/stats")).split("\n").find((each) => each.startsWith(`${name}: `));
      return line === undefined ? 0 : Number(line.slice(name.length + 2));
    },
    async port(name = "main") {
      const found = new RegExp(`^${name}::127\\.0\\.0\\.1:(\\d+)$`, "m").exec(await admin("/listeners"));
      assert.ok(found !== null, `no listener ${name}`);
      return Number(found[1]);
    },
  };
}

async function connectMany(context: TestContext, port: number): Promise<RawPeer[]> {
  const peers = await Promise.all(Array.from({ length: MANY }, () => connectRaw(port)));
  context.after(() => peers.forEach((each) => each.destroy()));
  return peers;
}

const ask = (peer: RawPeer, head = GET): Promise<string> => peer.clear().write(head).receives("\r\n\r\n");

function fileLog(path: string, format: string): Json {
  const type = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog";
  const config = { "@type": type, path, log_format: { text_format_source: { inline_string: format } } };
  return { access_log: [{ name: "envoy.access_loggers.file", typed_config: config }] };
}

describe("two workers", () => {
  test("share the port, and count as one", async (context) => {
    const upstream = await startHttpPeer(() => ok("hello"));
    context.after(() => upstream.stop());
    const workers = await start(context, plainHop([upstream.port]));
    const peers = await connectMany(context, await workers.port());
    for (let round = 0; round < 3; round += 1) await Promise.all(peers.map((each) => ask(each)));

    assert.equal(await workers.stat("http.test.downstream_rq_total"), 3 * MANY);
    assert.equal(await workers.stat("http.test.downstream_cx_active"), MANY);
    assert.equal(await workers.stat("cluster.up.upstream_rq_200"), 3 * MANY);
    // What each worker counts alike is counted once.
    assert.equal(await workers.stat("cluster.up.membership_total"), 1);
    assert.equal(await workers.stat("cluster_manager.cluster_added"), 1);
    assert.equal(await workers.stat("listener_manager.listener_added"), 1);
    assert.equal(await workers.stat("server.concurrency"), 2);
    const samples = parsePrometheus(await workers.admin("/stats/prometheus")).get("envoy_http_downstream_rq_time")?.samples;
    const time = samples?.find(({ name }) => name.endsWith("_count"));
    assert.equal(time?.value, 3 * MANY);
    const clusters = await workers.admin("/clusters");
    assert.match(clusters, new RegExp(`^up::127\\.0\\.0\\.1:${upstream.port}::rq_total::${3 * MANY}$`, "m"));
    assert.match(clusters, new RegExp(`^up::127\\.0\\.0\\.1:${upstream.port}::cx_total::${upstream.peers.length}$`, "m"));
    const info = JSON.parse(await workers.admin("/server_info")) as { command_line_options: Json };
    assert.equal(info.command_line_options["concurrency"], 2);

    await workers.admin("/reset_counters", "POST");
    assert.equal(await workers.stat("http.test.downstream_rq_total"), 0);
    assert.equal(await workers.stat("http.test.downstream_cx_active"), MANY);
    await ask(peers[0]!);
    assert.equal(await workers.stat("http.test.downstream_rq_total"), 1);
  });

  test("append to one access log, and open it anew together", async (context) => {
    const upstream = await startHttpPeer(() => ok("hello"));
    context.after(() => upstream.stop());
    const workers = await start(context, plainHop([upstream.port], { manager: fileLog("access.log", "%CONNECTION_ID% %REQ(:PATH)% .\n") }));
    const peers = await connectMany(context, await workers.port());
    const lines = (name: string): string[] => readFileSync(join(workers.folder, name), "utf8").split("\n").slice(0, -1);
    const written = async (name: string, path: string): Promise<void> => {
      await Promise.all(peers.map((each) => ask(each, `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`)));
      await eventually(() => assert.equal(lines(name).length, MANY), within);
      const ids = lines(name).map((line) => Number(new RegExp(`^(\\d+) ${path} \\.$`).exec(line)?.[1]));
      assert.equal(new Set(ids).size, MANY, "each connection has a number of its own");
      assert.deepEqual([...new Set(ids.map((id) => id % 2))].sort(), [0, 1], "both workers served some");
    };
    await written("access.log", "/before");
    renameSync(join(workers.folder, "access.log"), join(workers.folder, "access.log.1"));
    await workers.admin("/reopen_logs", "POST");
    await written("access.log", "/after");
    assert.equal(lines("access.log.1").length, MANY);
    renameSync(join(workers.folder, "access.log"), join(workers.folder, "access.log.2"));
    workers.child.kill("SIGUSR1");
    await eventually(() => lines("access.log"), within);
  });

  test("write whole lines to a pipe that is read late", async (context) => {
    const format = `%CONNECTION_ID% ${"x".repeat(3000)} %REQ(:PATH)%\n`;
    const route = { match: { prefix: "/" }, direct_response: { status: 200 } };
    const filter = httpFilter([route], fileLog("/dev/stdout", format));
    const workers = await start(context, staticResources([listener([{ filters: [filter] }])], []));
    const peers = await connectMany(context, await workers.port());
    const rounds = 40;
    for (let round = 0; round < rounds; round += 1) {
      await Promise.all(peers.map((each) => ask(each, `GET /${round} HTTP/1.1\r\nHost: a\r\n\r\n`)));
    }
    peers.forEach((each) => each.destroy());
    let text = "";
    workers.child.stdout!.setEncoding("utf8").on("data", (piece: string) => (text += piece));
    await eventually(() => assert.equal(text.split("\n").length - 1, rounds * MANY), within);
    for (const line of text.split("\n").slice(0, -1)) assert.match(line, /^\d+ x{3000} \/\d+$/);
  });

  test("let every open request end on SIGTERM, then the process exits with 0", async (context) => {
    const upstream = await startRawServer();
    context.after(() => upstream.stop());
    const workers = await start(context, plainHop([upstream.port]));
    const peers = await connectMany(context, await workers.port());
    for (const each of peers) each.write(GET);
    const asked = await Promise.all(peers.map((_, index) => upstream.peer(index)));
    workers.child.kill("SIGTERM");
    await eventually(() => assert.match(workers.log(), new RegExp(`"connections":${MANY},.*"draining"`)), within);
    for (const each of asked) each.write(ok("done"));
    for (const each of peers) assert.match(await each.untilEnd(), /^HTTP\/1\.1 200 [^]*\r\nconnection: close\r\n[^]*done$/);
    peers.forEach((each) => each.destroy());
    assert.equal(await workers.exit, 0);
  });

  test("say once that a port is taken, and exit", async (context) => {
    const holder = await startRawServer();
    context.after(() => holder.stop());
    const folder = mkdtempSync(join(tmpdir(), "meshctl-workers-"));
    context.after(() => rmSync(folder, { recursive: true }));
    const file = join(folder, "bootstrap.json");
    const main = listener([{ filters: [httpFilter([])] }], { address: address(holder.port) });
    writeFileSync(file, JSON.stringify(staticResources([main], [])));
    const { code, stderr } = await runMeshctl(["proxy", "--bootstrap", file, "--concurrency", "2"]);
    assert.equal(code, 1);
    assert.equal(stderr.match(/listener main can't bind/g)?.length, 1, stderr);
  });

  test("get every update: routes for connections that are open, certificates for those to come", async (context) => {
    const identities = await createIdentities();
    const ads = await ScriptedAdsServer.start();
    context.after(() => ads.close());
    const h2 = {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        explicit_http_config: { http2_protocol_options: {} },
      },
    };
    const workers = await start(context, {
      node: { id: "test", cluster: "test" },
      dynamic_resources: {
        ads_config: { api_type: "GRPC", transport_api_version: "V3", grpc_services: [{ envoy_grpc: { cluster_name: "xds" } }] },
        lds_config: resources.ADS,
      },
      static_resources: { clusters: [cluster("xds", [ads.port], { typed_extension_protocol_options: h2 })] },
    });
    assert.equal((await workers.admin("/ready")).trim(), "INITIALIZING");

    const tls = tlsSocket("Downstream", {
      common_tls_context: { tls_certificate_sds_secret_configs: [{ name: "own", sds_config: resources.ADS }] },
    });
    const rds = resources.connectionManager({ rds: { config_source: resources.ADS, route_config_name: "r" } });
    const chain = { filters: [{ name: "http", typed_config: rds }] };
    const answer = (body: string): Uint8Array =>
      resources.route({
        name: "r",
        virtual_hosts: [
          {
            name: "all",
            domains: ["*"],
            routes: [{ match: { prefix: "/" }, direct_response: { status: 200, body: { inline_string: body } } }],
          },
        ],
      });
    const certificate = async (name: string): Promise<Uint8Array> =>
      resources.secret(certificateSecret("own", await identities.issue(name)) as never);
    await ads.request(TypeUrl.listener, 0);
    ads.respond(TypeUrl.listener, "1", [
      resources.listener({ name: "plain", address: address(0), filter_chains: [chain] } as never),
      resources.listener({ name: "tls", address: address(0), filter_chains: [{ ...chain, ...tls }] } as never),
    ]);
    await ads.request(TypeUrl.route, 0);
    await ads.request(TypeUrl.secret, 0);
    ads.respond(TypeUrl.route, "1", [answer("first")]);
    ads.respond(TypeUrl.secret, "1", [await certificate("first")]);
    await eventually(async () => assert.equal((await workers.admin("/ready")).trim(), "LIVE"), within);

    const peers = await connectMany(context, await workers.port("plain"));
    const bodies = async (): Promise<string[]> => {
      const answers = await Promise.all(peers.map((each) => ask(each)));
      return [...new Set(answers.map((each) => each.slice(each.indexOf("\r\n\r\n") + 4)))];
    };
    const tlsPort = await workers.port("tls");
    const names = async (): Promise<string[]> => {
      const handshakes = await Promise.all(Array.from({ length: MANY }, () => connectRawTls(tlsPort, {})));
      const found = handshakes.map(({ socket }) => socket.getPeerCertificate().subjectaltname?.split("/sa/")[1] ?? "");
      handshakes.forEach((each) => each.destroy());
      return [...new Set(found)];
    };
    assert.deepEqual(await bodies(), ["first"]);
    assert.deepEqual(await names(), ["first"]);
    ads.respond(TypeUrl.route, "2", [answer("second")]);
    ads.respond(TypeUrl.secret, "2", [await certificate("second")]);
    await eventually(async () => assert.deepEqual(await bodies(), ["second"]), within);
    await eventually(async () => assert.deepEqual(await names(), ["second"]), within);
    assert.equal(await workers.stat("listener_manager.listener_modified"), 0, "what did not change was left alone");
    assert.equal(ads.streams.length, 1);
  });
});

describe("--concurrency", () => {
  const threads = ({ child }: Workers): string[] =>
    readdirSync(`/proc/${child.pid!}/task`)
      .map((id) => readFileSync(`/proc/${child.pid!}/task/${id}/comm`, "utf8").trim())
      .filter((name) => name.startsWith("meshctl-"))
      .sort();
  const empty = (): Json => staticResources([], []);

  test("starts no thread for one, and as many as it says for more", async (context) => {
    assert.deepEqual(threads(await start(context, empty(), 1)), []);
    assert.deepEqual(threads(await start(context, empty(), 3)), ["meshctl-0", "meshctl-1", "meshctl-2"]);
  });

  test("refuses what is no number of workers", async () => {
    for (const text of ["-1", "two", "1.5", "129", ""]) {
      const { code, stderr } = await runMeshctl(["proxy", "--bootstrap", "none.yaml", `--concurrency=${text}`]);
      assert.equal(code, 64, text);
      assert.match(stderr, /--concurrency wants a number from 0 to 128, not /);
    }
  });
});
