// The same bytes to our codec and to Node's own parser with its default strictness: who accepts what, and as how many
// requests. Where the two differ, the case says so and the RFC decides.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { NodeHttpParser } from "../../support/node-http-parser.ts";
import { summaryOf } from "../../support/strict-reader.ts";
import { REQUEST_TABLES } from "./cases/request-tables.ts";
import { expectedRequests, type NodeVerdict, type RequestCase } from "./request-table.ts";

const parser = new NodeHttpParser();

async function verdictOn(each: RequestCase): Promise<NodeVerdict | undefined> {
  const theirs = await parser.read(each.bytes);
  const ours = expectedRequests(each).map(summaryOf);
  const refused = each.refused !== undefined;
  if (refused !== theirs.refused) return theirs.refused ? "refuses" : "accepts";
  // What came before a refusal may have been answered or not.
  return refused || ours.join("\n") === theirs.requests.join("\n") ? undefined : "otherwise";
}

for (const { section, cases } of REQUEST_TABLES) {
  describe(`Node's parser on ${section}: a request with`, () => {
    for (const each of cases) {
      const word = each.node === undefined ? "the same" : `differs, and ${each.node} it`;
      test(`${each.name}: ${word}`, async () => assert.equal(await verdictOn(each), each.node));
    }
  });
}
