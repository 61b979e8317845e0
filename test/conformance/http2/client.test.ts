// RFC 9113 by the letter, for our client connection without a network: what it sends, what a server's frames do to it, and
// what becomes of its requests.
import { describe, test } from "node:test";
import { ClientUnderTest } from "../../support/http2/client-under-test.ts";
import { cutsOf, play } from "../../support/http2/script.ts";
import { seededRandom } from "../../support/upstream-hosts.ts";
import { CLIENT_TABLES } from "./cases/client-tables.ts";
import { withServerOpening } from "./script-table.ts";

const CUTS = cutsOf(seededRandom(113));

for (const { section, options = {}, cases } of CLIENT_TABLES) {
  describe(section, () => {
    for (const [name, script] of Object.entries(cases)) {
      test(name, async () => {
        for (const [cutName, cut] of Object.entries(CUTS)) {
          const peer = new ClientUnderTest({ ...options, showsOpening: options.opening === "none" });
          try {
            await play(peer, withServerOpening(script, options), cut);
          } catch (error) {
            (error as Error).message = `${cutName}: ${(error as Error).message}`;
            throw error;
          }
        }
      });
    }
  });
}
