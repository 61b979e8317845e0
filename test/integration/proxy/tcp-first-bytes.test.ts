// Protocols whose first bytes are awaited in vain, or come in pieces: scripted databases and mail servers behind listeners
// that look for TLS and HTTP, over one proxy and over two sidecars.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { connect as connectTls, TLSSocket } from "node:tls";
import { selfSigned } from "../../support/openssl.ts";
import { CHAINS, startRelayChain } from "../../support/relay-chain.ts";
import { connectRaw, RawPeer } from "../../support/raw-peer.ts";

const LIMIT_MS = 400;
/** Beyond that, what a busy machine may add. */
const SLACK_MS = 2000;
const BOUNDED = { listener_filters_timeout: `${LIMIT_MS / 1000}s` };
const FOR_EVER = { listener_filters_timeout: "0s" };

// What the servers really say first: a handshake packet of MySQL 8, a greeting of Postfix.
const MYSQL_GREETING =
  "J\0\0\0\x0a8.0.36\0\x08\0\0\0abcdefgh\0\xff\xf7\xff\x02\0\xff\xdf\x15\0\0\0\0\0\0\0\0\0\0ijklmnopqrst\0caching_sha2\0";
const MYSQL_LOGIN = "\x20\0\0\x01\x85\xa6\xff\x01\0\0\0\x01\x21shop\0";
// PostgreSQL, "SSLRequest": length 8, code 80877103.
const SSL_REQUEST = "\0\0\0\x08\x04\xd2\x16\x2f";
const STARTUP = "\0\0\0\x13\0\x03\0\0user\0shop\0\0";

/** Each byte in a packet of its own. */
async function byteByByte(peer: RawPeer, text: string): Promise<void> {
  for (const each of text) {
    peer.write(each);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

for (const kind of CHAINS) {
  describe(`first bytes over ${kind}`, () => {
    test("of MySQL come from the server, and the client waits for them no longer than sniffing may", async (context) => {
      const chain = await startRelayChain(context, kind, { sniffing: BOUNDED, script: (peer) => void byteByByte(peer, MYSQL_GREETING) });
      const started = performance.now();
      const client = await chain.connect();
      await client.receives(MYSQL_GREETING);
      const elapsed = performance.now() - started;
      assert.ok(elapsed < LIMIT_MS + SLACK_MS, `the greeting took ${elapsed.toFixed(0)} ms`);
      await byteByByte(client, MYSQL_LOGIN);
      await (await chain.server.peer(0)).receives(MYSQL_LOGIN);
      assert.equal(chain.client.stat("listener.127.0.0.1_0.downstream_pre_cx_timeout"), 1);
      assert.equal(chain.client.stat("listener.127.0.0.1_0.downstream_pre_cx_active"), 0);
    });

    test("of MySQL come at once where the port is excepted, however long sniffing may wait", async (context) => {
      const sniffing = { ...FOR_EVER, excepted: "all" } as const;
      const chain = await startRelayChain(context, kind, { sniffing, script: (peer) => void byteByByte(peer, MYSQL_GREETING) });
      await (await chain.connect()).receives(MYSQL_GREETING);
      assert.equal(chain.client.stat("listener.127.0.0.1_0.downstream_pre_cx_timeout"), 0);
    });

    test("of SMTP come from the server, and the dialogue after them is the peers' own", async (context) => {
      const chain = await startRelayChain(context, kind, { sniffing: BOUNDED, script: (peer) => void peer.write("220 mail ESMTP\r\n") });
      const client = await chain.connect();
      await client.receives("220 mail ESMTP\r\n");
      const server = await chain.server.peer(0);
      for (const [said, answer] of [
        ["EHLO shop\r\n", "250-mail\r\n250 STARTTLS\r\n"],
        ["MAIL FROM:<a@shop>\r\n", "250 ok\r\n"],
        ["QUIT\r\n", "221 bye\r\n"],
      ] as const) {
        await byteByByte(client, said);
        await server.receives(said);
        await byteByByte(server, answer);
        await client.receives(answer);
      }
    });

    test("of PostgreSQL ask for TLS, which is then the peers' own, and are not waited on", async (context) => {
      const { certificate: cert, key } = selfSigned("DNS:postgres.test");
      const chain = await startRelayChain(context, kind, { sniffing: FOR_EVER });
      const client = await chain.connect();
      await byteByByte(client, SSL_REQUEST);
      const server = await chain.server.peer(0);
      await server.receives(SSL_REQUEST);
      server.write("S");
      await client.receives("S");
      for (const each of [client, server]) each.socket.removeAllListeners("data");
      const inside = new RawPeer(new TLSSocket(server.socket, { isServer: true, cert, key }));
      const own = connectTls({ socket: client.socket, rejectUnauthorized: false, servername: "postgres.test" });
      await new Promise((resolve, reject) => own.once("secureConnect", resolve).once("error", reject));
      const outside = new RawPeer(own);
      assert.match(String(own.getPeerX509Certificate()?.subjectAltName), /postgres\.test/);
      outside.write(STARTUP);
      await inside.receives(STARTUP);
      inside.write("R\0\0\0\x08\0\0\0\0");
      await outside.receives("R\0\0\0\x08\0\0\0\0");
    });

    test("of PostgreSQL without TLS go on in plaintext", async (context) => {
      const chain = await startRelayChain(context, kind, { sniffing: FOR_EVER });
      const client = await chain.connect();
      await byteByByte(client, SSL_REQUEST);
      const server = await chain.server.peer(0);
      await server.receives(SSL_REQUEST);
      server.write("N");
      await client.receives("N");
      await byteByByte(client, STARTUP);
      await server.receives(STARTUP);
    });

    test("that say HTTP/2 are HTTP, in one packet or in many", async (context) => {
      const chain = await startRelayChain(context, kind, { sniffing: FOR_EVER });
      const client = await chain.connect();
      const settings = "\0\0\0\x04\0\0\0\0\0";
      await byteByByte(client, `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${settings}`);
      // A server's preface is a SETTINGS frame, and one more acknowledges ours.
      await client.receives("\0\0\0\x04\x01\0\0\0\0");
      assert.equal(chain.server.peers.length, 0);
    });

    test("that don't decide it and a FIN after them reach the server, and its answer the client", async (context) => {
      const chain = await startRelayChain(context, kind, { sniffing: FOR_EVER });
      const client = await chain.connect();
      client.end("GET /undecided");
      const server = await chain.server.peer(0);
      await server.until((peer) => peer.ended, "FIN");
      assert.equal(server.text, "GET /undecided");
      server.end("what?");
      assert.equal(await client.untilEnd(), "what?");
    });

    test("that never come, but a FIN, let the server's greeting through", async (context) => {
      const chain = await startRelayChain(context, kind, { sniffing: FOR_EVER, script: (peer) => void peer.write("220 mail\r\n") });
      const client = await chain.connect();
      client.end();
      const server = await chain.server.peer(0);
      await server.until((peer) => peer.ended, "FIN");
      server.end();
      assert.equal(await client.untilEnd(), "220 mail\r\n");
    });
  });
}

describe("a client without a sidecar", () => {
  test("of a server that speaks first waits no longer than sniffing may", async (context) => {
    const chain = await startRelayChain(context, "two sidecars over mTLS", {
      sniffing: BOUNDED,
      script: (peer) => void peer.write(MYSQL_GREETING),
    });
    const started = performance.now();
    const client = await connectRaw(chain.far.port());
    await client.receives(MYSQL_GREETING);
    const elapsed = performance.now() - started;
    client.destroy();
    assert.ok(elapsed > LIMIT_MS - 50 && elapsed < LIMIT_MS + SLACK_MS, `the greeting took ${elapsed.toFixed(0)} ms`);
  });
});
