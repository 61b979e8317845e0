// What must be the same for client and server whatever versions of HTTP they speak, as data for translation.test.ts.
import assert from "node:assert/strict";
import type { Answer, Asked, SeenRequest, SeenResponse, Version } from "../../support/versatile-peers.ts";

export interface Exchange {
  readonly name: string;
  readonly asked: Asked;
  readonly answer: Answer;
  check(seen: { readonly request: SeenRequest; readonly response: SeenResponse; readonly client: Version; readonly server: Version }): void;
}

const ok: Answer = (response) => void response.end("ok");

export const EXCHANGES: readonly Exchange[] = [
  {
    name: "a body without a length, both ways",
    asked: { method: "POST", path: "/", body: "text", trailers: {} },
    answer: (response, { body }) => {
      response.write("so");
      response.end(` ${body}`);
    },
    check({ request, response }) {
      assert.equal(request.headers["content-length"], undefined);
      assert.equal(request.body, "text");
      assert.deepEqual([response.status, response.body, response.isWhole], [200, "so text", true]);
    },
  },
  {
    name: "a length, both ways",
    asked: { method: "POST", path: "/?q=%20", headers: { "content-length": "4" }, body: "text" },
    answer: (response) => {
      response.setHeader("content-length", "2");
      response.end("ok");
    },
    check({ request, response }) {
      assert.deepEqual([request.path, request.headers["content-length"], request.body], ["/?q=%20", "4", "text"]);
      assert.deepEqual([response.headers["content-length"], response.body], ["2", "ok"]);
    },
  },
  {
    name: "a request whose method has a body, without one",
    asked: { method: "POST", path: "/" },
    answer: ok,
    check({ request, client, server }) {
      // RFC 9110 §8.6. HTTP/2 says it by the end of the stream.
      const expected = client === "HTTP/2" && server === "HTTP/2" ? undefined : "0";
      assert.deepEqual([request.headers["content-length"], request.headers["transfer-encoding"]], [expected, undefined]);
    },
  },
  {
    name: "a request whose method has none",
    asked: { path: "/" },
    answer: ok,
    check({ request }) {
      assert.deepEqual([request.headers["content-length"], request.headers["transfer-encoding"]], [undefined, undefined]);
    },
  },
  {
    name: "trailers, both ways, but for those that frame, route or authorize",
    asked: { method: "POST", path: "/", body: "x", trailers: { "x-t": "1", "content-length": "7", authorization: "me" } },
    answer: (response) => {
      response.write("x");
      response.addTrailers({ "x-u": "2", "content-length": "7" });
      response.end();
    },
    check({ request, response }) {
      assert.deepEqual(Object.entries(request.trailers), [["x-t", "1"]]);
      assert.deepEqual(Object.entries(response.trailers), [["x-u", "2"]]);
    },
  },
  {
    name: "what is said before the response",
    asked: { path: "/" },
    answer: (response) => {
      response.writeEarlyHints({ link: "</a.css>; rel=preload" });
      response.end("ok");
    },
    check({ response }) {
      assert.deepEqual([response.before, response.link, response.body], [[103], "</a.css>; rel=preload", "ok"]);
    },
  },
  {
    name: "an invitation to go on, which the proxy gives",
    asked: { method: "POST", path: "/", headers: { expect: "100-continue", "content-length": "4" }, body: "text" },
    answer: ok,
    check({ request, response }) {
      assert.deepEqual([request.headers["expect"], request.body, response.status], [undefined, "text", 200]);
    },
  },
  {
    name: "HEAD, with the length that GET would have",
    asked: { method: "HEAD", path: "/" },
    answer: (response) => {
      response.setHeader("content-length", "100");
      response.end();
    },
    check({ request, response }) {
      assert.equal(request.method, "HEAD");
      assert.deepEqual([response.headers["content-length"], response.body, response.isWhole], ["100", "", true]);
    },
  },
  {
    name: "204, without a length",
    asked: { path: "/" },
    answer: (response) => {
      response.writeHead(204);
      response.end();
    },
    check({ response }) {
      assert.deepEqual([response.status, response.headers["content-length"], response.isWhole], [204, undefined, true]);
    },
  },
  {
    name: "304, with the length that 200 would have",
    asked: { path: "/" },
    answer: (response) => {
      response.writeHead(304, { etag: '"a"', "content-length": "100" });
      response.end();
    },
    check({ response }) {
      assert.deepEqual([response.status, response.headers["etag"], response.headers["content-length"]], [304, '"a"', "100"]);
      assert.ok(response.isWhole);
    },
  },
  {
    name: "cookies, one field at the server, each of its own at the client",
    asked: { path: "/", headers: { cookie: ["a=1", "b=2"] } },
    answer: (response) => {
      response.setHeader("set-cookie", ["c=3", "d=4"]);
      response.end();
    },
    check({ request, response }) {
      assert.equal(request.headers.cookie, "a=1; b=2");
      assert.deepEqual(response.headers["set-cookie"], ["c=3", "d=4"]);
    },
  },
  {
    name: "te: trailers",
    asked: { path: "/", headers: { te: "trailers" } },
    answer: ok,
    check({ request, client, server }) {
      // A client of HTTP/1 has to name it in Connection (RFC 9110 §10.1.4), and so has the proxy.
      const te = client === "HTTP/2" ? "trailers" : undefined;
      assert.equal(request.headers["te"], te);
      if (server === "HTTP/1.1") assert.equal(/\bte\b/i.test(request.headers.connection ?? ""), te !== undefined);
    },
  },
  {
    name: "an early answer, whose request needs no end",
    asked: { method: "POST", path: "/early", headers: { "content-length": "5000000" }, body: "x".repeat(5_000_000) },
    answer: (response) => {
      response.writeHead(413, { "content-length": "3" });
      response.end("big");
    },
    check: ({ response }) => assert.deepEqual([response.status, response.body, response.isWhole], [413, "big", true]),
  },
  {
    name: "a response that breaks off, which is not taken for whole",
    asked: { path: "/" },
    answer(response, _seen, breakOff) {
      response.writeHead(200);
      response.write("half");
      setImmediate(breakOff);
    },
    check: ({ response }) => assert.deepEqual([response.body, response.isWhole], ["half", false]),
  },
];
