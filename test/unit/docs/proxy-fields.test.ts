// docs/proxy-fields.md is what the decoders say.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { test } from "node:test";
import { proxyFieldsPage } from "../../../scripts/proxy-fields.ts";

const PAGE = resolve(import.meta.dirname, "../../../docs/proxy-fields.md");

test("the page of understood fields is as the decoders are: else run `node scripts/proxy-fields.ts`", async () => {
  const fresh = await proxyFieldsPage();
  assert.match(
    fresh,
    /### Http2ProtocolOptions\n\n.*\n\n- understood: .*`max_concurrent_streams`.*\n- without effect: .*\n- refused: .*`allow_metadata`/,
  );
  assert.equal(readFileSync(PAGE, "utf8"), fresh);
});
