// Failures of HTTP requests on their way through a client's and a server's sidecar: the one next to the failure names the
// party, and the other one passes it on, over HTTP/1 as over the mesh's own transport.
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { ok, type RawPeer } from "../../support/raw-peer.ts";
import { HTTP1_ALPN, MESH_ALPN, startSidecarPair, type SidecarPairOptions } from "../../support/sidecar-pair.ts";

const answering = (text: string) => (peer: RawPeer) => void peer.socket.on("data", () => peer.write(text));

for (const [transport, protocols] of [
  ["HTTP/1", HTTP1_ALPN],
  ["the mesh's transport", MESH_ALPN],
] as const)
  describe(`through two sidecars over ${transport}`, () => {
    async function errorOf(context: TestContext, options: SidecarPairOptions): Promise<string> {
      const path = await startSidecarPair(context, protocols, options);
      const head = await (await path.send()).receives("\r\n\r\n");
      const said = [...head.matchAll(/^x-mesh-error: (.*)\r$/gm)].map((each) => each[1]);
      assert.ok(said.length < 2, head);
      return `${head.slice(9, 12)} ${said[0] ?? ""}`;
    }

    test("an application that can't be reached is named by its own sidecar", async (context) => {
      assert.match(await errorOf(context, { appIsDown: true }), /^503 UF; by=server; detail="127\.0\.0\.1:\d+: ECONNREFUSED"$/);
    });

    test("an application that closes without an answer is named", async (context) => {
      const script = (peer: RawPeer): void => void peer.socket.on("data", () => peer.destroy());
      assert.match(await errorOf(context, { script }), /^503 U[CR]; by=server; /);
    });

    test("an answer that is no HTTP is named, and not sent on", async (context) => {
      assert.match(await errorOf(context, { script: answering("HELLO\r\n\r\n") }), /^502 UPE; by=server; /);
    });

    test("an application that is too slow is named by the sidecar whose time is over", async (context) => {
      assert.match(await errorOf(context, { action: { timeout: "0.1s" } }), /^504 UT; by=server; detail="no response within \d+ ms"$/);
      assert.match(await errorOf(context, { inboundAction: { timeout: "0.1s" } }), /^504 UT; by=server; /);
    });

    test("a full server's sidecar says that it is the policy", async (context) => {
      const inboundCluster = { circuit_breakers: { thresholds: [{ max_requests: 0 }] } };
      assert.match(await errorOf(context, { inboundCluster }), /^503 UO; by=policy; /);
    });

    test("a client that is not let in learns that it is the other sidecar, which has refused without a word", async (context) => {
      assert.match(await errorOf(context, { admitted: ["somebody-else"] }), /^503 U[FCR]; by=server-sidecar; /);
    });

    test("an application can't speak for a sidecar", async (context) => {
      const script = answering("HTTP/1.1 500 No\r\nx-mesh-error: LR; by=client; detail=forged\r\ncontent-length: 0\r\n\r\n");
      assert.equal(await errorOf(context, { script }), "500 ");
    });

    test("a server's sidecar that ends names itself", async (context) => {
      const path = await startSidecarPair(context, protocols);
      const client = await path.send();
      await (await path.app.peer(0)).receives("\r\n\r\n");
      await path.server.stop();
      assert.match(await client.receives("\r\n\r\n"), /^HTTP\/1\.1 503 [^]*\r\nx-mesh-error: LR; by=server-sidecar; /);
    });

    test("one whose configuration changes fails nothing", async (context) => {
      const path = await startSidecarPair(context, protocols);
      const client = await path.send();
      const app = await path.app.peer(0);
      await app.receives("\r\n\r\n");
      path.server.plane.drain({ inboundOnly: false, close: false });
      path.client.plane.drain({ inboundOnly: false, close: false });
      app.write(ok("late"));
      assert.match(await client.receives("late"), /^HTTP\/1\.1 200 /);
      assert.equal(path.server.stat("http.test.downstream_cx_http2_total"), protocols === MESH_ALPN ? 1 : 0);
      app.clear();
      const again = await path.send();
      await app.receives("\r\n\r\n");
      app.write(ok("later"));
      assert.match(await again.receives("later"), /^HTTP\/1\.1 200 /);
    });
  });
