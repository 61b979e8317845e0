// The client side of the codec beyond the tables of test/conformance/http1: when responses begin and end, pauses, and what a
// connection is good for afterwards.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { recordResponses } from "../../../../support/response-recorder.ts";

const chunked = (body: string): string => `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${body}`;

describe("a response", () => {
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
