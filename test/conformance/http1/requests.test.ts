// Every request of the tables through both codecs, whole, byte by byte and cut at random: what the upstream sees, byte
// for byte, what the client is told, and whether the connection goes on. How the bytes are cut changes nothing.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { BareHop } from "../../support/bare-hop.ts";
import { cuts } from "../../support/cuts.ts";
import { readRequests } from "../../support/strict-reader.ts";
import { seededRandom } from "../../support/upstream-hosts.ts";
import { REQUEST_TABLES } from "./cases/request-tables.ts";
import { expectedRequests, HIDDEN, isKept, type RequestCase } from "./request-table.ts";

const PROBE = "GET /probe HTTP/1.1\r\nHost: a\r\n\r\n";

function check(each: RequestCase, pieces: readonly Buffer[], cut: string): void {
  const hop = new BareHop();
  for (const piece of pieces) hop.feed(piece);
  const expected = expectedRequests(each);
  assert.deepEqual(hop.requests, expected, `${cut}: what the upstream received`);
  const statuses = hop.received.match(/^HTTP\/1\.1 (?!100)\d+/gm)?.map((line) => Number(line.slice(9))) ?? [];
  const replies = each.refused === undefined ? [] : [each.refused];
  assert.deepEqual(statuses, [...expected.map(() => 200), ...replies], `${cut}: what the client received`);
  hop.feed(PROBE);
  assert.deepEqual(hop.requests.slice(expected.length), isKept(each) ? [PROBE] : [], `${cut}: the connection afterwards`);
  if (each.refused !== undefined && !isKept(each)) assert.match(hop.received, /\r\nconnection: close\r\n/, cut);
  // What a refused body has let through must never look whole, and nothing that follows it may.
  assert.deepEqual(readRequests(hop.unfinished).requests, [], `${cut}: what was broken off`);
}

for (const { section, cases } of REQUEST_TABLES) {
  describe(`${section}: a request with`, () => {
    const random = seededRandom(2026);
    for (const each of cases) {
      const outcome = each.refused === undefined ? "is forwarded" : `is refused with ${each.refused}`;
      test(`${each.name} ${outcome}`, () => {
        const bytes = Buffer.from(each.bytes, "latin1");
        for (const [cut, pieces] of cuts(bytes, random, bytes.length > 5000 ? 1 : 4)) check(each, pieces, cut);
      });
    }
  });
}

describe("a request", () => {
  const all = REQUEST_TABLES.flatMap(({ cases }) => cases);

  test("behind a refused one is never read, however it is hidden", () => {
    for (const each of all.filter((one) => one.refused !== undefined && !isKept(one))) {
      const hop = new BareHop();
      hop.feed(each.bytes + HIDDEN);
      hop.feed(HIDDEN);
      assert.deepEqual(hop.requests, expectedRequests(each), each.name);
    }
  });

  test("behind a good one is read from its first byte, in every cut", () => {
    const good = all.filter((one) => isKept(one) && one.refused === undefined && one.bytes.length < 3000);
    const bytes = Buffer.from(good.map((each) => each.bytes).join(""), "latin1");
    for (const [cut, pieces] of cuts(bytes, seededRandom(7), 6)) {
      const hop = new BareHop();
      for (const piece of pieces) hop.feed(piece);
      assert.deepEqual(hop.requests, good.flatMap(expectedRequests), cut);
    }
  });
});

test("names of cases are unique in their table", () => {
  for (const { section, cases } of REQUEST_TABLES)
    assert.equal(new Set(cases.map((each) => each.name)).size, cases.length, section);
});
