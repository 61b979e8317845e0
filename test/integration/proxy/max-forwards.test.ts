// Max-Forwards (RFC 9110 §7.6.2): TRACE and OPTIONS go as far as they ask for, through a proxy that counts.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { plainHop, startPlane, type TestPlane } from "../../support/proxy-plane.ts";
import { connectRaw, ok, startHttpPeer, type RawServer } from "../../support/raw-peer.ts";

let server: RawServer;
let proxy: TestPlane;

before(async () => {
  server = await startHttpPeer((request) => ok(request));
  proxy = await startPlane(plainHop([server.port]));
});
after(async () => {
  await server.stop();
  await proxy.stop();
});

/** The answer to a request with these lines; what reaches the server, it answers as the body. */
async function ask(method: string, lines: string): Promise<string> {
  const client = await connectRaw(proxy.port());
  client.write(`${method} /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${lines}\r\n`);
  const text = await client.untilEnd();
  client.destroy();
  return text;
}

for (const method of ["OPTIONS", "TRACE"]) {
  test(`${method} with 0 is answered here, and with more goes on with one less`, async () => {
    const count = server.peers.length;
    assert.match(await ask(method, "Max-Forwards: 0\r\n"), /^HTTP\/1\.1 200 OK\r\n/);
    assert.equal(server.peers.length, count);
    assert.match(await ask(method, "Max-Forwards: 1\r\n"), new RegExp(`\r\n\r\n${method} /x HTTP/1\\.1\r\n[^]*\r\nMax-Forwards: 0\r\n`));
    assert.match(await ask(method, "max-forwards: 10\r\n"), /\r\nmax-forwards: 9\r\n/);
    assert.match(await ask(method, ""), new RegExp(`\r\n\r\n${method} /x HTTP/1\\.1\r\nHost: a\r\n(?![^]*max-forwards)`, "i"));
  });
}

test("TRACE is answered with the request, without its secrets", async () => {
  const got = await ask("TRACE", "Max-Forwards: 0\r\nX-Seen: yes\r\nCookie: secret\r\nAuthorization: secret\r\n");
  assert.match(got, /\r\ncontent-type: message\/http\r\n[^]*\r\n\r\nTRACE \/x HTTP\/1\.1\r\nHost: a\r\n[^]*X-Seen: yes\r\n/);
  assert.doesNotMatch(got, /secret/);
});

test("a count that is none, and one of another method, are left alone", async () => {
  assert.match(await ask("OPTIONS", "Max-Forwards: -1\r\n"), /\r\nMax-Forwards: -1\r\n/);
  assert.match(await ask("OPTIONS", "Max-Forwards: 1, 2\r\n"), /\r\nMax-Forwards: 1, 2\r\n/);
  assert.match(await ask("GET", "Max-Forwards: 0\r\n"), /\r\nMax-Forwards: 0\r\n/);
});
