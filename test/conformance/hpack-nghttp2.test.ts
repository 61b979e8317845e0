// HPACK against nghttp2, over a socket: what we encode it decodes, what it encodes we decode, and what one of us refuses
// the other refuses, too. Every disagreement is listed with its reason. Seeded.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { HeaderField } from "../../src/proxy-runtime/http/header-field.ts";
import { headerIdOf } from "../../src/proxy-runtime/http/header-id.ts";
import { DecodeResult, HpackDecoder } from "../../src/proxy-runtime/http/http2/hpack/decoder.ts";
import { HpackEncoder } from "../../src/proxy-runtime/http/http2/hpack/encoder.ts";
import { HPACK_CASES } from "../support/hpack-cases.ts";
import { blocksOfNghttp2, Nghttp2Reader } from "../support/nghttp2-blocks.ts";
import { seededRandom } from "../support/upstream-hosts.ts";

const ROUNDS = 300;

/** Cases in which nghttp2 decides otherwise, and why. */
const DISAGREEMENTS: Readonly<Record<string, string>> = {
  "a size update with too many zeros put in": "RFC 7541 §5.1 lets an implementation limit the length; nghttp2 limits the value alone",
};
// What we say of such integers, wherever random changes make one.
const OUR_LIMIT = "integer too long";

const CASES = HPACK_CASES.filter((each) => each.tableBytes === undefined && each.isMesh !== true);
const bytesOf = (hex: string): Buffer => Buffer.from(hex.replaceAll(" ", ""), "hex");

let reader: Nghttp2Reader;
before(async () => {
  reader = await Nghttp2Reader.start();
});
after(() => reader.stop());

/** What we say of blocks: undefined when all are fine. */
function ourError(blocks: readonly Buffer[]): string | undefined {
  const decoder = new HpackDecoder(4096, false);
  const refused = blocks.some((block) => decoder.decode(block, 0, block.length, [], 65536, 100) === DecodeResult.compressionError);
  return refused ? decoder.errorDetail : undefined;
}

function randomFields(random: () => number): (readonly [name: string, value: string])[] {
  const int = (below: number): number => Math.floor(random() * below);
  const names = ["user-agent", "accept", "x-request-id", "cookie", "authorization", "etag", "x-a", "x-b", "x-long-name-of-an-application"];
  // Visible ASCII and bytes above it.
  const byte = (): string => String.fromCharCode(random() < 0.9 ? 0x21 + int(94) : 0xa1 + int(95));
  const value = (): string => (random() < 0.6 ? `value ${int(6)}` : Array.from({ length: int(60) ** 2 >>> 4 }, byte).join(""));
  return [
    [":method", ["GET", "POST", "DELETE"][int(3)]!],
    [":scheme", "http"],
    [":path", ["/", "/index.html", `/items/${int(20)}`][int(3)]!],
    [":authority", `host${int(3)}.test`],
    ...Array.from({ length: int(12) }, () => [names[int(names.length)]!, value()] as const),
  ];
}

describe("HPACK and nghttp2", () => {
  test("agree on every case", async () => {
    const disagreements: string[] = [];
    for (const { name, blocks, error } of CASES) {
      await reader.connect();
      const theirs = (await reader.read(blocks.map(bytesOf))) === "compression error";
      if (theirs !== (error !== undefined)) disagreements.push(name);
    }
    assert.deepEqual(disagreements, Object.keys(DISAGREEMENTS));
  });

  test("agree on blocks with random changes", async () => {
    const random = seededRandom(20261124);
    const int = (below: number): number => Math.floor(random() * below);
    const telling = [0x00, 0x01, 0x0f, 0x10, 0x1f, 0x20, 0x3e, 0x3f, 0x40, 0x7f, 0x80, 0x81, 0xbe, 0xff];
    const change = (block: Buffer): Buffer => {
      const at = int(block.length);
      const insert = random() < 0.3 ? [telling[int(telling.length)]!] : [];
      const changed = Buffer.concat([block.subarray(0, at), Buffer.from(insert), block.subarray(at + (random() < 0.2 ? 1 : 0))]);
      if (random() < 0.7 && at < changed.length) changed[at] = random() < 0.5 ? int(256) : telling[int(telling.length)]!;
      return changed;
    };
    let accepted = 0;
    for (let round = 0; round < ROUNDS; round += 1) {
      const blocks = [...CASES[int(CASES.length)]!.blocks, ...CASES[int(CASES.length)]!.blocks].map((hex) => change(bytesOf(hex)));
      const ours = ourError(blocks);
      await reader.connect();
      const theirs = await reader.read(blocks);
      if (ours === undefined) accepted += 1;
      if (ours === OUR_LIMIT) continue;
      assert.equal(theirs === "compression error", ours !== undefined, `${ours}: ${blocks.map((each) => each.toString("hex")).join(" ")}`);
    }
    assert.ok(accepted > ROUNDS / 50, `only ${accepted} accepted`);
  });

  test("nghttp2 reads what we encode, also while it changes its table's size", async () => {
    const random = seededRandom(7);
    const encoder = new HpackEncoder(4096, false);
    reader.onTableBytes = (bytes) => encoder.setPeerTableBytes(bytes);
    await reader.connect();
    const out = Buffer.alloc(65536);
    for (let round = 0; round < 100; round += 1) {
      if (round % 5 === 4) await reader.announceTableBytes([0, 100, 4096, 333, 65536][Math.floor(round / 5) % 5]!);
      const requests = Array.from({ length: 10 }, () => randomFields(random));
      const blocks = requests.map((fields) => {
        let at = encoder.begin(out, 0);
        for (const [name, value] of fields) at = encoder.encode(out, at, headerIdOf(name), name, value);
        return Buffer.from(out.subarray(0, at));
      });
      const expected = requests.map((fields) => fields.map(([name, value]) => `${name}: ${value}`));
      assert.deepEqual(await reader.read(blocks), expected);
    }
  });

  test("we read what nghttp2 encodes, also while our table's size changes", async () => {
    const random = seededRandom(8);
    const requests = Array.from({ length: 100 }, () => Object.fromEntries(randomFields(random)));
    const sizes = [4096, 4096, 4096, 256, 0, 1000];
    const blocks = await blocksOfNghttp2(requests, sizes);
    // Never more than the largest is in force; the peer says which.
    const decoder = new HpackDecoder(Math.max(...sizes), false);
    blocks.forEach((block, index) => {
      const fields: HeaderField[] = [];
      assert.equal(decoder.decode(block, 0, block.length, fields, 65536, 100), DecodeResult.ok, decoder.errorDetail);
      assert.deepEqual(
        fields.map(({ name, value, isMalformed, id }) => [name, value, isMalformed, id]),
        Object.entries(requests[index]!).map(([name, value]) => [name, value, false, headerIdOf(name)]),
      );
    });
    assert.equal(blocks.length, requests.length);
  });
});
