// The scripts of a client connection, through a running proxy: an HTTP/1 client asks, the test is the HTTP/2 host.
import { after, before, describe, test } from "node:test";
import { ClientHop } from "../../support/http2/client-hop.ts";
import { cutsOf, play } from "../../support/http2/script.ts";
import { plainHop, startPlane, type Json, type TestPlane } from "../../support/proxy-plane.ts";
import { startRawServer, type RawServer } from "../../support/raw-peer.ts";
import { seededRandom } from "../../support/upstream-hosts.ts";
import { CLIENT_TABLES } from "./cases/client-tables.ts";
import { withServerOpening, type ScriptOptions } from "./script-table.ts";

const CUTS = cutsOf(seededRandom(8441));
const OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

let server: RawServer;

before(async () => {
  server = await startRawServer();
});
after(() => server.stop());

/** A cluster that speaks HTTP/2, by the options of a table. */
function clusterOf({ config = {} }: ScriptOptions): Json {
  const http2: Json = config.streamErrorOnInvalidMessage === true ? { override_stream_error_on_invalid_http_message: true } : {};
  const protocol = { "@type": `type.googleapis.com/${OPTIONS}`, explicit_http_config: { http2_protocol_options: http2 } };
  return { typed_extension_protocol_options: { [OPTIONS]: protocol } };
}

for (const { section, options = {}, cases } of CLIENT_TABLES.filter((each) => each.options?.isCodecOnly !== true)) {
  describe(`through a proxy, ${section}`, () => {
    for (const [name, script] of Object.entries(cases)) {
      test(name, async () => {
        for (const [cutName, cut] of Object.entries(CUTS)) {
          // A proxy of its own: its pool would keep the connection of the script before.
          const plane: TestPlane = await startPlane(plainHop([server.port], { cluster: clusterOf(options), action: { timeout: "0s" } }));
          const peer = new ClientHop(plane.port(), server, options.opening === "none");
          try {
            await play(peer, withServerOpening(script, options), cut);
          } catch (error) {
            (error as Error).message = `${cutName}: ${(error as Error).message}`;
            throw error;
          } finally {
            peer.close();
            await plane.stop();
          }
        }
      });
    }
  });
}
