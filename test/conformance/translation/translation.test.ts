// HTTP/1.1 and HTTP/2 in every pairing, through one proxy and through two sidecars: whatever the versions are, client and
// server tell each other the same.
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { HTTP2_UPSTREAM } from "../../support/grpc-planes.ts";
import { plainHop, startPlane } from "../../support/proxy-plane.ts";
import { MESH_ALPN, startSidecarPair } from "../../support/sidecar-pair.ts";
import { ask, startVersatileServer, type Version } from "../../support/versatile-peers.ts";
import { EXCHANGES } from "./exchanges.ts";

const VERSIONS: readonly Version[] = ["HTTP/1.1", "HTTP/2"];

/** Where clients connect on the way to a server. */
const PATHS = {
  "one proxy": async (context: TestContext, port: number, server: Version): Promise<number> => {
    const plane = await startPlane(plainHop([port], { cluster: server === "HTTP/2" ? HTTP2_UPSTREAM : {} }));
    context.after(() => plane.stop());
    return plane.port();
  },
  "two sidecars": async (context: TestContext, port: number, server: Version): Promise<number> => {
    const pair = await startSidecarPair(context, MESH_ALPN, { appPort: port, inboundCluster: server === "HTTP/2" ? HTTP2_UPSTREAM : {} });
    return pair.client.port();
  },
};

for (const [path, start] of Object.entries(PATHS)) {
  for (const server of VERSIONS) {
    for (const client of VERSIONS) {
      test(`from ${client} to ${server} through ${path}, the same reaches the other side:`, async (context) => {
        const upstream = await startVersatileServer(server);
        context.after(() => upstream.stop());
        const port = await start(context, upstream.port, server);
        for (const each of EXCHANGES) {
          await context.test(each.name, async () => {
            upstream.answer = each.answer;
            const already = upstream.seen.length;
            const response = await ask(client, port, each.asked);
            assert.equal(upstream.seen.length, already + 1, "requests that reached the server");
            each.check({ request: upstream.seen.at(-1)!, response, client, server });
          });
        }
      });
    }
  }
}
