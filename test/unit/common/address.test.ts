import assert from "node:assert/strict";
import { test } from "node:test";
import { formatHostPort, parseHostPort } from "../../../src/common/address.ts";

test("reads names, IPv4 and bracketed IPv6 addresses with a port, and an empty host as every address", () => {
  assert.deepEqual(parseHostPort("127.0.0.1:15010"), { host: "127.0.0.1", port: 15010 });
  assert.deepEqual(parseHostPort("[::1]:0"), { host: "::1", port: 0 });
  assert.deepEqual(parseHostPort("a.b-c:80"), { host: "a.b-c", port: 80 });
  assert.deepEqual(parseHostPort(":80"), { host: "::", port: 80 });
});

test("reads nothing into what is no address", () => {
  for (const text of ["", "host", "host:", "1.2.3.4:99999", "::1:80", "[::1]", "a:b:80", "host:80x"])
    assert.equal(parseHostPort(text), undefined, text);
});

test("writes an address so that it can be read back", () => {
  for (const address of [
    { host: "::", port: 15012 },
    { host: "10.0.0.1", port: 1 },
  ]) {
    assert.deepEqual(parseHostPort(formatHostPort(address)), address);
  }
});
