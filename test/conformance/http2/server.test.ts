// RFC 9113 by the letter, for our server connection without a network: a client's frames in, decision and our frames out.
import { describe, test } from "node:test";
import { cutsOf, play } from "../../support/http2/script.ts";
import { ServerUnderTest } from "../../support/http2/server-under-test.ts";
import { seededRandom } from "../../support/upstream-hosts.ts";
import { SERVER_TABLES } from "./cases/server-tables.ts";
import { withOpening } from "./script-table.ts";

const CUTS = cutsOf(seededRandom(9113));

for (const { section, options = {}, cases } of SERVER_TABLES) {
  describe(section, () => {
    for (const [name, script] of Object.entries(cases)) {
      test(name, async () => {
        for (const [cutName, cut] of Object.entries(CUTS)) {
          const peer = new ServerUnderTest({ ...options, showsOpening: options.opening === "none" });
          try {
            await play(peer, withOpening(script, options), cut);
          } catch (error) {
            (error as Error).message = `${cutName}: ${(error as Error).message}`;
            throw error;
          }
        }
      });
    }
  });
}
