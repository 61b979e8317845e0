// Relays whose receivers don't read: what each keeps is bounded, whatever its sender has, and goes back when it is over.
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { freePorts, ProxyProcess } from "../support/abuse/proxy-process.ts";
import { scaled } from "../support/abuse/scale.ts";
import { eventually } from "../support/eventually.ts";
import { address, cluster, listener, staticResources, tcpFilter, tlsSocket, type Json } from "../support/proxy-plane.ts";
import { connectRaw, startRawServer, type RawPeer, type RawServer } from "../support/raw-peer.ts";
import { checkedSink, SteadySource } from "../support/steady-source.ts";
import { certificateSecret, commonTls, createIdentities, rootsSecret } from "../support/test-identities.ts";

const CONNECTIONS = scaled(50, 8);
/** Far more than kernel and proxies take in. */
const EACH_BYTES = scaled(128, 40) * 1024 * 1024;
/** What one direction of one connection may keep: reads of 256 KB, paused from 128 KB on; over TLS there is OpenSSL's share. */
const EACH_MB = { plaintext: 0.4, mtls: 1.0 } as const;
/** Code that runs for the first time, and blocks that are kept for later. */
const BASE_MB = 12;

interface Stage {
  readonly proxies: readonly ProxyProcess[];
  readonly server: RawServer;
  readonly port: number;
}

async function onePort(): Promise<number> {
  return (await freePorts(1))[0]!;
}

async function start(context: TestContext, bootstrap: Json): Promise<ProxyProcess> {
  const proxy = await ProxyProcess.start(bootstrap, []);
  context.after(() => proxy[Symbol.asyncDispose]());
  return proxy;
}

const at = (port: number): Json => ({ address: address(port) });
/** More connections than Envoy's default limit lets through are not what is tested. */
const upstream = (port: number, more: Json = {}): Json => cluster("up", [port], more);

async function plainStage(context: TestContext): Promise<Stage> {
  const server = await startRawServer();
  context.after(() => server.stop());
  const port = await onePort();
  const proxy = await start(context, staticResources([listener([{ filters: [tcpFilter("up")] }], at(port))], [upstream(server.port)]));
  return { proxies: [proxy], server, port };
}

async function meshStage(context: TestContext): Promise<Stage> {
  const server = await startRawServer();
  context.after(() => server.stop());
  const [port, inner] = [await onePort(), await onePort()];
  const identities = await createIdentities();
  const secretsOf = async (name: string): Promise<Json[]> => [
    certificateSecret("own", await identities.issue(name)),
    rootsSecret("roots", identities.rootsPem),
  ];
  const alpn = { alpn_protocols: ["istio"] };
  const tls = tlsSocket("Downstream", { require_client_certificate: true, ...commonTls(["client"], alpn) });
  const inbound = listener([{ filters: [tcpFilter("up")], ...tls }], at(inner));
  const far = await start(context, staticResources([inbound], [upstream(server.port)], await secretsOf("server")));
  const outbound = listener([{ filters: [tcpFilter("up")] }], at(port));
  const toFar = upstream(inner, tlsSocket("Upstream", commonTls(["server"], alpn)));
  const near = await start(context, staticResources([outbound], [toFar], await secretsOf("client")));
  return { proxies: [near, far], server, port };
}

/** Client and server ends of so many connections, each after a byte has passed. */
async function openPairs({ server, port }: Stage): Promise<{ client: RawPeer; upstream: RawPeer }[]> {
  const pairs: { client: RawPeer; upstream: RawPeer }[] = [];
  while (pairs.length < CONNECTIONS) {
    const client = await connectRaw(port);
    client.write("!");
    const peer = await server.peer(pairs.length);
    await peer.receives("!");
    pairs.push({ client, upstream: peer });
  }
  return pairs;
}

for (const [title, set, eachMb] of [
  ["one proxy", plainStage, EACH_MB.plaintext],
  ["two sidecars with mTLS between them", meshStage, EACH_MB.mtls],
] as const) {
  describe(`${CONNECTIONS} relays through ${title}`, () => {
    for (const direction of ["to the server", "to the client"] as const) {
      test(`keep little while nobody reads ${direction}, and then lose nothing`, async (context) => {
        const stage = await set(context);
        const pairs = await openPairs(stage);
        const idleMb = stage.proxies.map((each) => each.rssAnonMb());
        const isUp = direction === "to the server";
        const sinks = pairs.map(({ client, upstream: peer }) => checkedSink((isUp ? peer : client).socket));
        const sources = pairs.map(({ client, upstream: peer }) => new SteadySource((isUp ? client : peer).socket, EACH_BYTES));
        await Promise.all(sources.map((each) => each.heldBack()));
        // What is on its way inside a proxy comes to rest, too.
        await delay(200);
        for (const [index, proxy] of stage.proxies.entries()) {
          const grownMb = proxy.takePeakMb() - idleMb[index]!;
          context.diagnostic(
            `proxy ${index + 1}: ${grownMb.toFixed(1)} MB for ${CONNECTIONS} relays, ${idleMb[index]!.toFixed(1)} MB before`,
          );
          assert.ok(grownMb < CONNECTIONS * eachMb + BASE_MB, `proxy ${index + 1} took ${grownMb.toFixed(1)} MB more`);
        }
        for (const each of sinks) each.read();
        for (const each of sinks) assert.deepEqual(await each.ended(), { receivedBytes: EACH_BYTES, wrongBytes: 0 });
        for (const { client, upstream: peer } of pairs) for (const each of [client, peer]) each.end();
        for (const proxy of stage.proxies)
          await eventually(async () => assert.equal(await proxy.stat(/^tcp\..*_cx_active$/), 0), { withinMs: 10_000 });
      });
    }
  });
}
