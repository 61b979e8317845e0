import assert from "node:assert/strict";
import { test } from "node:test";
import { createLog } from "../../../src/common/log.ts";
import type { LogFormat } from "../../../src/common/log.ts";

function capture(format: LogFormat): { log: ReturnType<typeof createLog>; lines: string[] } {
  const lines: string[] = [];
  return { log: createLog({ level: "info", format, stream: { write: (line) => lines.push(line) } }), lines };
}

test("writes one JSON object per line, with the level's name and an ISO time", () => {
  const { log, lines } = capture("json");
  log.info({ port: 80 }, "listening");
  log.debug("unseen");
  assert.equal(lines.length, 1);
  const { time, ...rest } = JSON.parse(lines[0]!) as Record<string, unknown>;
  assert.deepEqual(rest, { level: "info", port: 80, msg: "listening" });
  assert.equal(new Date(time as string).toISOString(), time);
});

test("writes plain text where asked, one line even for text with line breaks", () => {
  const { log, lines } = capture("text");
  log.warn({ file: "a.yaml", reason: "two\nlines", count: 2 }, "not applied");
  assert.match(lines[0]!, /^\d{4}-\d\d-\d\dT[\d:.]+Z warn {2}not applied file=a\.yaml reason="two\\nlines" count=2\n$/);
});
