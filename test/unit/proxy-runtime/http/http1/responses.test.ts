// Responses through the client side of the codec, cut in every way: what is passed on, what is refused, and whether the
// connection may carry another request.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { cuts } from "../../../../support/cuts.ts";
import { recordResponses, type ResponseRecorder } from "../../../../support/response-recorder.ts";
import { seededRandom } from "../../../../support/upstream-hosts.ts";

interface Case {
  readonly bytes: string;
  readonly method?: string;
  readonly log: readonly string[];
  /** Whether the connection stays; where not, it is closed. */
  readonly kept: boolean;
}

const PROTOCOL = (detail: string): string => `reset upstreamProtocolError ${detail}`;
const MIDWAY = (detail: string): string => `reset upstreamProtocolErrorMidway ${detail}`;
const chunked = (body: string): string => `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${body}`;

const CASES: Readonly<Record<string, Case>> = {
  "a length": { bytes: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", log: ["200 hi"], kept: true },
  "no body": { bytes: "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", log: ["200 "], kept: true },
  "no reason": { bytes: "HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n", log: ["404 "], kept: true },
  "an empty reason": { bytes: "HTTP/1.1 299 \r\nContent-Length: 0\r\n\r\n", log: ["299 "], kept: true },
  chunks: { bytes: chunked("2\r\nhi\r\n1;x\r\n!\r\n0\r\n\r\n"), log: ["200 hi!"], kept: true },
  trailers: { bytes: chunked("2\r\nhi\r\n0\r\nX-Sum: 1\r\nContent-Length: 9\r\n\r\n"), log: ["200 hi|X-Sum,1"], kept: true },
  "connection: close": { bytes: "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi", log: ["200 hi"], kept: false },
  "HTTP/1.0": { bytes: "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", log: ["200 hi"], kept: false },
  "HTTP/1.0 kept alive": { bytes: "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi", log: ["200 hi"], kept: true },
  "204 with a length": { bytes: "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", log: ["204 "], kept: true },
  "304 with a length": { bytes: "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", log: ["304 "], kept: true },
  "HEAD with a length": { method: "HEAD", bytes: "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", log: ["200 "], kept: true },
  "HEAD with chunked": { method: "HEAD", bytes: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", log: ["200 "], kept: true },
  "100 Continue, which was answered already": {
    bytes: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    log: ["200 "],
    kept: true,
  },
  "103 Early Hints": {
    bytes:
      "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </b>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    log: ["103 Link,</a>", "103 Link,</b>", "200 "],
    kept: true,
  },
  "Connection naming its own framing": {
    bytes: "HTTP/1.1 200 OK\r\nConnection: Content-Length\r\nContent-Length: 2\r\n\r\nhi",
    log: ["200 hi"],
    kept: true,
  },
  "another response behind it": {
    bytes: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
    log: ["200 hi"],
    kept: false,
  },
  "a body on HEAD": { method: "HEAD", bytes: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", log: ["200 "], kept: false },
  "101 that nobody asked for": {
    bytes: "HTTP/1.1 101 Switching Protocols\r\n\r\n",
    log: [PROTOCOL("101 without an upgrade request")],
    kept: false,
  },
  "length beside chunked": {
    bytes: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    log: [PROTOCOL("content-length beside transfer-encoding")],
    kept: false,
  },
  "two lengths": {
    bytes: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi",
    log: [PROTOCOL("repeated content-length")],
    kept: false,
  },
  "an odd transfer coding": {
    bytes: "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
    log: [PROTOCOL("transfer-encoding other than chunked")],
    kept: false,
  },
  "another protocol": { bytes: "SSH-2.0-OpenSSH_9.9\r\nmore\r\n", log: [PROTOCOL("invalid status line")], kept: false },
  "HTTP/2": { bytes: "HTTP/2.0 200 OK\r\n\r\n", log: [PROTOCOL("invalid status line")], kept: false },
  "a status of two digits": { bytes: "HTTP/1.1 99 Low\r\n\r\n", log: [PROTOCOL("invalid status code")], kept: false },
  "a status of four digits": { bytes: "HTTP/1.1 2000 OK\r\n\r\n", log: [PROTOCOL("invalid status line")], kept: false },
  "a bare LF": { bytes: "HTTP/1.1 200 OK\nContent-Length: 0\n\n", log: [PROTOCOL("status line does not end in CRLF")], kept: false },
  "a bare CR in a value": { bytes: "HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: b\r\n\r\n", log: [PROTOCOL("invalid header value")], kept: false },
  "a bad chunk": { bytes: chunked("2\r\nhi!\r\n"), log: [MIDWAY("chunk does not end in CRLF")], kept: false },
  "a bad chunk size": { bytes: chunked("0x2\r\nhi\r\n"), log: [MIDWAY("invalid chunk size")], kept: false },
  "a head that is too large": {
    bytes: `HTTP/1.1 200 OK\r\nX: ${"a".repeat(61440)}\r\n\r\n`,
    log: [PROTOCOL("head larger than 61440 bytes")],
    kept: false,
  },
};

function run({ method = "GET" }: Pick<Case, "method">, pieces: readonly Buffer[]): ResponseRecorder {
  const recorder = recordResponses();
  recorder.send(method);
  for (const piece of pieces) recorder.socket.feed(piece);
  return recorder;
}

describe("a response", () => {
  const random = seededRandom(99);
  for (const [name, each] of Object.entries(CASES)) {
    test(`with ${name}`, () => {
      const bytes = Buffer.from(each.bytes, "latin1");
      for (const [cut, pieces] of cuts(bytes, random, 3)) {
        const { log, owner, client, socket } = run(each, pieces);
        assert.deepEqual(log, each.log, cut);
        assert.equal(client.isUsable, each.kept, cut);
        assert.equal(socket.isDestroyed, !each.kept, cut);
        // Bytes behind a response are seen with it or after it; either way the connection ends unusable.
        assert.equal(owner.at(-1), each.kept ? "idle" : "unusable", cut);
      }
    });
  }

  test("of the next request begins where the last one ended, in every cut", () => {
    const kept = Object.values(CASES).filter((each) => each.kept);
    for (let round = 0; round < 3; round += 1) {
      const recorder = recordResponses();
      for (const each of kept) {
        recorder.send(each.method ?? "GET");
        for (const [, pieces] of [...cuts(Buffer.from(each.bytes, "latin1"), random, 1)].slice(2))
          for (const piece of pieces) recorder.socket.feed(piece);
      }
      assert.deepEqual(
        recorder.log,
        kept.flatMap((each) => each.log),
      );
    }
  });

  test("that nobody asked for ends the connection", () => {
    const recorder = recordResponses();
    recorder.send("GET");
    recorder.socket.feed("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    recorder.socket.feed("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
    assert.equal(recorder.client.isUsable, false);
    assert.deepEqual(recorder.owner, ["idle", "unusable"]);
    assert.deepEqual(recorder.log, ["200 "]);
  });

  test("delimited by the end of the connection is whole at the end, and broken by a reset", () => {
    const whole = recordResponses();
    whole.send("GET");
    whole.socket.feed("HTTP/1.1 200 OK\r\n\r\nhel");
    whole.socket.feed("lo");
    whole.client.onEnd();
    assert.deepEqual(whole.log, ["200 hello"]);
    const broken = recordResponses();
    broken.send("GET");
    broken.socket.feed("HTTP/1.1 200 OK\r\n\r\nhel");
    broken.client.onClose(Object.assign(new Error("reset"), { code: "ECONNRESET" }));
    assert.deepEqual(broken.log, ["reset upstreamClosedMidway 127.0.0.1:80: ECONNRESET"]);
  });

  test("cut short by the end of the connection is a reset, before its head and after", () => {
    for (const [bytes, wanted] of [
      ["", "reset upstreamClosed 127.0.0.1:80: connection closed"],
      ["HTTP/1.1 200", "reset upstreamClosed 127.0.0.1:80: connection closed"],
      ["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhi", "reset upstreamClosedMidway 127.0.0.1:80: connection closed"],
      [chunked("5\r\nhi"), "reset upstreamClosedMidway 127.0.0.1:80: connection closed"],
      [chunked("2\r\nhi\r\n"), "reset upstreamClosedMidway 127.0.0.1:80: connection closed"],
      [chunked("2\r\nhi\r\n0\r\n"), "reset upstreamClosedMidway 127.0.0.1:80: connection closed"],
    ] as const) {
      const recorder = recordResponses();
      recorder.send("GET");
      recorder.socket.feed(bytes);
      recorder.client.onEnd();
      assert.deepEqual(recorder.log, [wanted], JSON.stringify(bytes));
    }
  });

  test("that is paused is kept to its end, even when the connection ends meanwhile", () => {
    for (const framing of ["", "Content-Length: 12\r\n"]) {
      const recorder = recordResponses();
      const stream = recorder.send("GET");
      recorder.socket.feed(`HTTP/1.1 200 OK\r\n${framing}\r\nfirst `);
      stream.pauseResponse();
      recorder.socket.feed("second");
      recorder.client.onEnd();
      assert.deepEqual(recorder.log, []);
      stream.resumeResponse();
      assert.deepEqual(recorder.log, ["200 first second"]);
    }
  });

  test("that comes before the request is whole leaves no connection for the next", () => {
    const recorder = recordResponses();
    recorder.send("POST", true);
    recorder.socket.feed("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n");
    assert.deepEqual(recorder.log, ["413 "]);
    assert.equal(recorder.client.isUsable, false);
  });
});
