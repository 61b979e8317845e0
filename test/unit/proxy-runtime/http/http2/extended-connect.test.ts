// RFC 8441: an extended CONNECT says what an HTTP/1 client says with Upgrade, and may say no more.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Causes } from "../../../../../src/proxy-runtime/failure/causes.ts";
import { HeaderField } from "../../../../../src/proxy-runtime/http/header-field.ts";
import { headerIdOf } from "../../../../../src/proxy-runtime/http/header-id.ts";
import {
  readRequestFields,
  type RequestFields,
  type RequestFieldsError,
} from "../../../../../src/proxy-runtime/http/http2/request-fields.ts";

function read(protocol: string, method = "CONNECT"): RequestFields | RequestFieldsError {
  const fields = [
    [":method", method],
    [":protocol", protocol],
    [":scheme", "http"],
    [":path", "/chat"],
    [":authority", "server"],
  ].map(([name, value]) => new HeaderField(headerIdOf(name!), name!, value!));
  return readRequestFields(fields, 100, false, { isMesh: false, allowConnect: true });
}

test("an extended CONNECT is the upgrade of a GET, versions and lists included", () => {
  for (const protocol of ["websocket", "WebSocket", "SPDY/3.1", "a, b/2"]) {
    const outcome = read(protocol);
    assert.ok("head" in outcome, protocol);
    const { method, path, upgrade } = outcome.head;
    assert.deepEqual([method, path, upgrade], ["GET", "/chat", protocol.toLowerCase()]);
  }
});

test("an extended CONNECT never asks for HTTP under another cover, nor for what no Upgrade field could say", () => {
  for (const protocol of ["h2c", "HTTP/2.0", "tls/1.2", "connect", "CONNECT", "", "web socket", "a/b/c", "a\r\nx: y", "a,,b c"]) {
    const outcome = read(protocol);
    assert.ok("cause" in outcome, protocol);
    assert.equal(outcome.cause, Causes.http2Malformed);
  }
  assert.ok("cause" in read("websocket", "GET"));
});
