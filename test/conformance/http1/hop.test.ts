// Every request of the tables through a running proxy, from socket to socket: what the upstream receives, byte for byte,
// what the client is told, and whether its connection goes on. Whole, and cut into packets at random.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { cutRandomly } from "../../support/cuts.ts";
import { plainHop, startPlane, type TestPlane } from "../../support/proxy-plane.ts";
import { connectRaw, type RawPeer } from "../../support/raw-peer.ts";
import { startRecordingUpstream, type RecordingUpstream } from "../../support/recording-upstream.ts";
import { seededRandom } from "../../support/upstream-hosts.ts";
import { REQUEST_TABLES } from "./cases/request-tables.ts";
import { expectedRequests, isKept, type RequestCase } from "./request-table.ts";

const PROBE = "GET /probe HTTP/1.1\r\nHost: a\r\n\r\n";
// The only line that the proxy adds to a request here.
const ADDED = "x-forwarded-proto: http\r\n";

let upstream: RecordingUpstream;
let proxy: TestPlane;

before(async () => {
  upstream = await startRecordingUpstream(() => "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
  const manager = { codec_type: "HTTP1", generate_request_id: false, http_protocol_options: { accept_http_10: true } };
  proxy = await startPlane(plainHop([upstream.port], { manager, action: { timeout: "0s" } }));
});
after(async () => {
  await proxy.stop();
  await upstream.stop();
});

const statusesIn = (text: string): number[] => text.match(/^HTTP\/1\.1 (?!100)\d+/gm)?.map((line) => Number(line.slice(9))) ?? [];

function received(): string[] {
  return upstream.requests.map((request) => {
    assert.equal(request.split(ADDED).length, 2, `what the proxy adds: ${JSON.stringify(request.slice(0, 200))}`);
    return request.replace(ADDED, "");
  });
}

async function check(each: RequestCase, pieces: readonly Buffer[]): Promise<void> {
  upstream.clear();
  const client: RawPeer = await connectRaw(proxy.port());
  try {
    for (const piece of pieces) {
      if (client.closed) break;
      client.socket.write(piece);
      await nextTurn();
    }
    const expected = expectedRequests(each);
    const statuses = [...expected.map(() => 200), ...(each.refused === undefined ? [] : [each.refused])];
    await client.until((peer) => statusesIn(peer.text).length >= statuses.length || peer.closed, `answers ${statuses.join()}`);
    if (isKept(each)) {
      client.write(PROBE);
      await client.until((peer) => statusesIn(peer.text).length > statuses.length || peer.ended || peer.closed, "an answer to the probe");
    } else await client.until((peer) => peer.ended || peer.closed, "end of the connection");
    assert.deepEqual(received(), isKept(each) ? [...expected, PROBE] : expected, "what the upstream received");
    assert.deepEqual(statusesIn(client.text), isKept(each) ? [...statuses, 200] : statuses, "what the client received");
  } finally {
    client.destroy();
  }
}

for (const { section, cases } of REQUEST_TABLES) {
  describe(`${section}: through a running proxy, a request with`, () => {
    const random = seededRandom(77);
    for (const each of cases) {
      const outcome = each.refused === undefined ? "is forwarded" : `is refused with ${each.refused}`;
      test(`${each.name} ${outcome}`, async () => {
        const bytes = Buffer.from(each.bytes, "latin1");
        await check(each, [bytes]);
        if (bytes.length < 5000) await check(each, cutRandomly(bytes, random));
      });
    }
  });
}
