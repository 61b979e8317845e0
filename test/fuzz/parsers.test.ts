// Random bytes, and mutations of good ones, to everything that reads what strangers send: it never throws, never hangs,
// and what it makes of bytes doesn't depend on how they were cut. Seeded: a failure names its seed. MESHCTL_FUZZ_SECONDS
// lets it run longer.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { HeadParser } from "../../src/proxy-runtime/http/http1/head-parser.ts";
import { BodyReader, type BodySink } from "../../src/proxy-runtime/http/http1/body-reader.ts";
import { readClientHello } from "../../src/proxy-runtime/transport/client-hello.ts";
import { inspect } from "../../src/proxy-runtime/transport/sniff.ts";
import { clientHello } from "../support/client-hello.ts";
import { cutRandomly } from "../support/cuts.ts";
import { fuzz } from "../support/fuzz.ts";
import { REQUEST_TABLES } from "../conformance/http1/cases/request-tables.ts";
import { recordRequests } from "../support/request-recorder.ts";
import { recordResponses } from "../support/response-recorder.ts";

const FIRST_SEED = 20261121;

const pick = <T>(items: readonly T[], random: () => number): T => items[Math.floor(random() * items.length)]!;
const SPICE = [
  "\r\n",
  "\n",
  "\r",
  "\0",
  " ",
  "\t",
  ":",
  ",",
  ";",
  "0",
  "f",
  "\r\n\r\n",
  "Transfer-Encoding: chunked\r\n",
  "Content-Length: 3\r\n",
  "0\r\n\r\n",
  "\xff",
  "HTTP/1.1",
  "chunked",
];

/** A few bytes changed, removed, doubled or put in. */
function mutate(text: string, random: () => number): string {
  let result = text;
  for (let times = Math.floor(random() * 4); times > 0; times -= 1) {
    const at = Math.floor(random() * result.length);
    const kind = random();
    if (kind < 0.3) result = result.slice(0, at) + pick(SPICE, random) + result.slice(at);
    else if (kind < 0.5) result = result.slice(0, at) + String.fromCharCode(Math.floor(random() * 256)) + result.slice(at + 1);
    else if (kind < 0.7) result = result.slice(0, at) + result.slice(at + 1 + Math.floor(random() * 5));
    else result = result.slice(0, at) + result.slice(at, at + 20) + result.slice(at);
  }
  return result;
}

const SMALL_CASES = REQUEST_TABLES.flatMap(({ cases }) => cases.map((each) => each.bytes)).filter((bytes) => bytes.length < 3000);
const RESPONSES = [
  "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX: 1\r\n\r\n",
  "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 304 Not Modified\r\n\r\n",
  "HTTP/1.0 200 OK\r\n\r\nuntil the end",
];

/** Bytes are fed whole and cut; a decision that needs more bytes in one cut may come later in another, never differ. */
function sameForEveryCut(bytes: Buffer, random: () => number, run: (pieces: readonly Buffer[]) => readonly string[]): void {
  const whole = run([bytes]);
  for (let cut = 0; cut < 3; cut += 1) assert.deepEqual(run(cutRandomly(bytes, random)), whole, JSON.stringify(bytes.latin1Slice()));
}

// Ends what is still waiting, so that an unfinished head is decided in every cut.
const END = "\r\n\r\n".repeat(3);

describe("fuzzing", () => {
  test("requests", () => {
    fuzz(FIRST_SEED, (random) => {
      const text = mutate(pick(SMALL_CASES, random), random) + mutate(pick(SMALL_CASES, random), random) + END;
      sameForEveryCut(Buffer.from(text, "latin1"), random, (pieces) => {
        const { socket, log } = recordRequests({ acceptHttp10: true });
        for (const piece of pieces) socket.feed(piece);
        return [...log, socket.written.replace(/\r\ndate: [^\r]*/g, "")];
      });
    });
  });

  test("responses", () => {
    fuzz(FIRST_SEED, (random) => {
      const method = pick(["GET", "HEAD"], random);
      const text = mutate(pick(RESPONSES, random), random) + (random() < 0.3 ? pick(RESPONSES, random) : "") + END;
      sameForEveryCut(Buffer.from(text, "latin1"), random, (pieces) => {
        const recorder = recordResponses();
        const { socket, log, client } = recorder;
        recorder.send(method);
        for (const piece of pieces) socket.feed(piece);
        client.onEnd();
        return [...log, String(client.isUsable)];
      });
    });
  });

  test("chunked bodies", () => {
    const good = "5;a=b\r\nhello\r\n10\r\n0123456789abcdef\r\n0\r\nX-Sum: 7\r\n\r\n";
    fuzz(FIRST_SEED, (random) => {
      const bytes = Buffer.from(mutate(mutate(good, random), random), "latin1");
      sameForEveryCut(bytes, random, (pieces) => {
        const seen: string[] = [""];
        const sink: BodySink = {
          onBody(piece, end) {
            seen[0] += Buffer.from(piece).latin1Slice();
            if (end) seen.push("end");
            return true;
          },
          onBodyTrailers: (trailers) => void seen.push(trailers.toFlat().join()),
        };
        const reader = new BodyReader(new HeadParser({ maxBytes: 1000, maxHeaders: 10 }));
        reader.start({ kind: "chunked" });
        let rest = Buffer.alloc(0);
        for (const piece of pieces) {
          rest = Buffer.concat([rest, piece]);
          if (reader.isDone) break;
          const used = reader.read(rest, 0, rest.length, sink);
          if (used < 0) return [...seen, reader.errorDetail];
          rest = rest.subarray(used);
        }
        return seen;
      });
    });
  });

  test("client hellos, which are never read beyond their end", () => {
    fuzz(FIRST_SEED, (random) => {
      const hello = clientHello({
        serverName: random() < 0.8 ? "a.b.test" : undefined,
        alpn: random() < 0.8 ? ["h2", "istio"] : [],
        fragmentBytes: 1 + Math.floor(random() * 200),
      });
      const bytes = Buffer.from(mutate(mutate(hello.latin1Slice(), random), random), "latin1");
      let decided: string | undefined;
      for (let length = 0; length <= bytes.length; length += 1) {
        const result = readClientHello(bytes.subarray(0, length));
        if (result === "incomplete") assert.equal(decided, undefined, "went back to incomplete");
        else {
          const text = JSON.stringify(result);
          decided ??= text;
          assert.equal(text, decided, "changed its mind");
        }
      }
    });
  });

  test("first bytes of connections", () => {
    const starts = [
      ...SMALL_CASES,
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
      clientHello({ serverName: "x", alpn: ["h2"], fragmentBytes: 500 }).latin1Slice(),
    ];
    fuzz(FIRST_SEED, (random) => {
      const bytes = Buffer.from(mutate(pick(starts, random), random).slice(0, 400), "latin1");
      const options = { tls: random() < 0.7, http: random() < 0.7, timeoutMs: 0 };
      let decided: string | undefined;
      for (let length = 0; length <= bytes.length; length += 1) {
        const result = inspect(bytes.subarray(0, length), options);
        if (result === undefined) assert.equal(decided, undefined, `asks for more again: ${JSON.stringify(bytes.latin1Slice(0, length))}`);
        else {
          const text = JSON.stringify(result);
          decided ??= text;
          assert.equal(text, decided, `changed its mind: ${JSON.stringify(bytes.latin1Slice(0, length))}`);
        }
      }
    });
  });
});
