// The scripts of a server connection, from socket to socket through a running proxy to a server of HTTP/1.
import { after, before, describe, test } from "node:test";
import { cutsOf, play } from "../../support/http2/script.ts";
import { HopUnderTest, startAnsweringUpstream, type AnsweringUpstream } from "../../support/http2/hop-under-test.ts";
import { plainHop, startPlane, type Json, type TestPlane } from "../../support/proxy-plane.ts";
import { seededRandom } from "../../support/upstream-hosts.ts";
import { SERVER_TABLES } from "./cases/server-tables.ts";
import { withOpening, type ScriptOptions } from "./script-table.ts";

const CUTS = cutsOf(seededRandom(8441));

let upstream: AnsweringUpstream;

before(async () => {
  upstream = await startAnsweringUpstream();
});
after(() => upstream.stop());

/** The connection manager's fields for the options of a table. */
function managerOf({ config = {}, limits }: ScriptOptions): Json {
  const http2: Json = {};
  if (config.maxConcurrentStreams !== undefined) http2["max_concurrent_streams"] = config.maxConcurrentStreams;
  if (config.streamErrorOnInvalidMessage === true) http2["override_stream_error_on_invalid_http_message"] = true;
  const manager: Json = { http2_protocol_options: http2, generate_request_id: false };
  if (limits === undefined) return manager;
  return { ...manager, max_request_headers_kb: limits.maxBytes / 1024, common_http_protocol_options: { max_headers_count: limits.maxHeaders } };
}

for (const { section, options = {}, cases } of SERVER_TABLES.filter((each) => each.options?.isCodecOnly !== true)) {
  describe(`through a proxy, ${section}`, () => {
    let proxy: TestPlane;
    before(async () => {
      proxy = await startPlane(plainHop([upstream.port], { manager: managerOf(options), action: { timeout: "0s" } }));
    });
    after(() => proxy.stop());
    for (const [name, script] of Object.entries(cases)) {
      test(name, async () => {
        for (const [cutName, cut] of Object.entries(CUTS)) {
          const peer = await HopUnderTest.connect(proxy.port(), upstream, options.opening === "none");
          try {
            await play(peer, withOpening(script, options), cut);
          } catch (error) {
            (error as Error).message = `${cutName}: ${(error as Error).message}`;
            throw error;
          } finally {
            peer.close();
          }
        }
      });
    }
  });
}
