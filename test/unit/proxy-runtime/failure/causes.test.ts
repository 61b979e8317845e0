// The failure table: every row is complete, and who is to blame depends on where the failure was seen.
import assert from "node:assert/strict";
import { test } from "node:test";
import { codeFromHttpStatus } from "../../../../src/xds/grpc-status.ts";
import { blameOf, type Cause } from "../../../../src/proxy-runtime/failure/cause.ts";
import { Causes } from "../../../../src/proxy-runtime/failure/causes.ts";

const all: readonly (readonly [string, Cause])[] = Object.entries(Causes);

test("every cause has its own name, a details text without blanks, and a status that a reply can have", () => {
  for (const [key, cause] of all) {
    assert.equal(cause.name, key);
    assert.match(cause.details, /^\S+$/, key);
    // 204 is what a request may ask for in place of an error.
    assert.ok([0, 204].includes(cause.httpStatus) || (cause.httpStatus >= 400 && cause.httpStatus < 600), key);
    assert.ok(cause.grpcStatus >= 1 && cause.grpcStatus <= 16, key);
    assert.match(cause.flag, /^(-|[A-Z]{2,5})$/, key);
  }
});

test("a gRPC status follows from the HTTP status by gRPC's own mapping, or says more where that has no answer", () => {
  const more: Readonly<Record<number, number>> = { 204: 4, 408: 4, 504: 4, 426: 12, 501: 12, 413: 8, 431: 8, 500: 13 };
  for (const [key, { httpStatus, grpcStatus }] of all) {
    if (httpStatus > 0) assert.equal(grpcStatus, more[httpStatus] ?? codeFromHttpStatus(httpStatus), key);
  }
});

test("a cause that comes after the response began has no status and no body", () => {
  const cut = all.filter(([key]) => key.endsWith("Midway"));
  assert.ok(cut.length > 5);
  for (const [key, cause] of cut) assert.deepEqual([cause.httpStatus, cause.body], [0, ""], key);
});

test("a refused connection is the server's fault, its sidecar's where there is one, and the application's own behind it", () => {
  assert.equal(blameOf(Causes.connectFailure, "to-anything"), "server");
  assert.equal(blameOf(Causes.connectFailure, "to-mesh"), "server-sidecar");
  assert.equal(blameOf(Causes.connectFailure, "inbound"), "server");
});

test("silence on the way is the network's fault, but not between a sidecar and its own application", () => {
  assert.equal(blameOf(Causes.connectTimeout, "to-mesh"), "network");
  assert.equal(blameOf(Causes.connectTimeout, "inbound"), "server");
});

test("what a sidecar does wrong itself is the client's sidecar's fault or the server's, by its side", () => {
  assert.equal(blameOf(Causes.internalError, "to-mesh"), "client-sidecar");
  assert.equal(blameOf(Causes.internalError, "inbound"), "server-sidecar");
});
