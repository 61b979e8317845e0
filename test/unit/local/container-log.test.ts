import assert from "node:assert/strict";
import { closeSync, mkdtempSync, readFileSync, rmSync, statSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { ContainerLog } from "../../../src/local/pod/container-log.ts";

let folder = "";
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "meshctl-test-"))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("keeps the log of the run before, and shows it while the new run is silent", () => {
  const log = new ContainerLog(join(folder, "a.log"));
  const first = log.open();
  writeSync(first, "one\ntwo\n");
  closeSync(first);
  closeSync(log.open());
  assert.equal(readFileSync(log.previousPath, "utf8"), "one\ntwo\n");
  assert.deepEqual(log.tail(1), ["two"]);
});

test("drops the oldest lines of a log that grows too large, while its writer goes on", () => {
  const log = new ContainerLog(join(folder, "a.log"));
  const writer = log.open();
  const line = `${"x".repeat(1023)}\n`;
  for (let count = 0; count < 9; count++) writeSync(writer, line.repeat(1024));
  log.trim();
  writeSync(writer, "last\n");
  closeSync(writer);
  assert.ok(statSync(log.path).size < 5 << 20);
  const text = readFileSync(log.path, "utf8");
  assert.ok(text.startsWith("xxx") && text.endsWith("\nlast\n") && !text.includes("\0"));
});
