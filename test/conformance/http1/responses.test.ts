// Every response of the tables: through both codecs, whole, byte by byte and cut at random; through a running proxy from
// socket to socket; and to Node's own client. What the client receives, and which connections go on.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { BareHop, OK } from "../../support/bare-hop.ts";
import { cutRandomly, cuts } from "../../support/cuts.ts";
import { nodeReadsResponse } from "../../support/node-http-parser.ts";
import { plainHop, startPlane, type TestPlane } from "../../support/proxy-plane.ts";
import { connectRaw, startRawServer, type RawPeer, type RawServer } from "../../support/raw-peer.ts";
import { joinedResponse } from "../../support/strict-reader.ts";
import { seededRandom } from "../../support/upstream-hosts.ts";
import { RESPONSE_TABLES } from "./cases/responses.ts";
import type { NodeVerdict } from "./request-table.ts";
import type { ResponseCase } from "./response-table.ts";

const requestOf = ({ method = "GET" }: ResponseCase): string => `${method} / HTTP/1.1\r\nHost: a\r\n\r\n`;
const PROBE = "GET /probe HTTP/1.1\r\nHost: a\r\n\r\n";

function checkReceived({ method = "GET", bytes, received, refused, cut: isCut }: ResponseCase, text: string, cut: string): void {
  assert.doesNotMatch(text, /evil/, `${cut}: what was hidden came out`);
  const whole = joinedResponse(text, method);
  if (isCut === true) assert.equal(whole, undefined, `${cut}: looks whole`);
  else if (refused === undefined) assert.equal(whole, received === "same" ? bytes : received, cut);
  else assert.match(whole ?? "", new RegExp(`(?:^|\\r\\n\\r\\n)HTTP/1\\.1 ${refused} [^]*\\r\\nx-mesh-error: U(?:PE|C); by=server; `), cut);
}

describe("through the codecs", () => {
  for (const { section, cases } of RESPONSE_TABLES) {
    describe(`${section}: a response with`, () => {
      const random = seededRandom(5);
      for (const each of cases) {
        test(each.name, () => {
          const bytes = Buffer.from(each.bytes, "latin1");
          for (const [cut, pieces] of cuts(bytes, random, bytes.length > 5000 ? 1 : 4)) {
            const hop = new BareHop({ answer: () => "" });
            hop.feed(requestOf(each));
            const upstream = hop.upstreams[0]!;
            for (const piece of pieces) upstream.socket.feed(piece);
            if (each.then === "fin") upstream.client.onEnd();
            if (each.then === "reset") upstream.client.onClose(Object.assign(new Error("reset"), { code: "ECONNRESET" }));
            checkReceived(each, hop.received, cut);
            assert.equal(upstream.client.isUsable, each.kept, `${cut}: the upstream's connection`);
            assert.equal(hop.client.isDestroyed, each.cut === true, `${cut}: the client's connection`);
          }
        });
      }
    });
  }
});

test("a response begins where the one before it ended, in every cut", () => {
  const random = seededRandom(99);
  const kept = RESPONSE_TABLES.flatMap(({ cases }) => cases).filter((each) => each.kept);
  for (let round = 0; round < 3; round += 1) {
    const hop = new BareHop({ answer: () => "" });
    let received = "";
    for (const each of kept) {
      hop.feed(requestOf(each));
      for (const piece of cutRandomly(Buffer.from(each.bytes, "latin1"), random)) hop.upstreams[0]!.socket.feed(piece);
      checkReceived(each, hop.received.slice(received.length), each.name);
      received = hop.received;
    }
    assert.equal(hop.upstreams.length, 1, "one connection for all");
  }
});

describe("through a running proxy", () => {
  let server: RawServer;
  let proxy: TestPlane;
  let send: ((peer: RawPeer) => Promise<void>) | undefined;

  before(async () => {
    server = await startRawServer((peer) => {
      peer.socket.on("data", () => {
        if (!peer.text.includes("\r\n\r\n")) return;
        const isProbe = peer.text.startsWith("GET /probe");
        peer.clear();
        if (isProbe) peer.write(OK);
        else void send!(peer);
      });
    });
    const manager = { server_header_transformation: "PASS_THROUGH" };
    proxy = await startPlane(plainHop([server.port], { manager, action: { timeout: "0s" } }));
  });
  after(async () => {
    await proxy.stop();
    await server.stop();
  });

  /** Without the lines that the proxy adds to a response. */
  const bare = (text: string): string => text.replace(/(?:date|x-envoy-upstream-service-time): [^\r]*\r\n/g, "");

  async function check(each: ResponseCase, pieces: readonly Buffer[]): Promise<void> {
    let used: RawPeer | undefined;
    send = async (peer) => {
      used = peer;
      for (const piece of pieces) {
        if (peer.closed) return;
        peer.write(piece);
        await nextTurn();
      }
      if (each.then === "fin") peer.end();
      if (each.then === "reset") {
        // What was sent before is to arrive before the reset does.
        await new Promise((resolve) => setTimeout(resolve, 20));
        peer.reset();
      }
    };
    const client = await connectRaw(proxy.port());
    const { method = "GET" } = each;
    client.write(requestOf(each));
    await client.until((peer) => joinedResponse(bare(peer.text), method) !== undefined || peer.closed, "a response or an end");
    checkReceived(each, bare(client.text), "");
    assert.equal(client.error?.code, each.cut === true ? "ECONNRESET" : undefined);
    const probing = each.cut === true ? await connectRaw(proxy.port()) : client.clear();
    // Bytes behind a response may come after it.
    if (!each.kept) await used!.until((peer) => peer.closed || peer.ended, "the end of the upstream connection");
    const count = server.peers.length;
    probing.write(PROBE);
    assert.equal(bare(await probing.receives("\r\n\r\n")), OK);
    assert.equal(server.peers.length === count && used!.closed === false, each.kept, "the upstream's connection");
    client.destroy();
    probing.destroy();
  }

  for (const { section, cases } of RESPONSE_TABLES) {
    describe(`${section}: a response with`, () => {
      const random = seededRandom(11);
      for (const each of cases) {
        test(each.name, async () => {
          const bytes = Buffer.from(each.bytes, "latin1");
          await check(each, [bytes]);
          if (bytes.length < 5000) await check(each, cutRandomly(bytes, random));
        });
      }
    });
  }
});

describe("Node's client", () => {
  async function verdictOn(each: ResponseCase): Promise<NodeVerdict | undefined> {
    const { method = "GET", received, bytes } = each;
    const { read: theirs } = await nodeReadsResponse(method, each.bytes);
    const ours = received === undefined ? undefined : (await nodeReadsResponse(method, received === "same" ? bytes : received)).read;
    if (ours === theirs) return undefined;
    if (theirs === undefined) return "refuses";
    return ours === undefined ? "accepts" : "otherwise";
  }

  for (const { section, cases } of RESPONSE_TABLES) {
    describe(`on ${section}: a response with`, () => {
      for (const each of cases)
        test(`${each.name}: ${each.node === undefined ? "the same" : `differs, and ${each.node} it`}`, async () =>
          assert.equal(await verdictOn(each), each.node));
    });
  }
});
