// How the sidecar notices that its root certificate was replaced.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { watchFiles } from "../../../../src/proxy-runtime/identity/file-watch.ts";
import { ManualClock } from "../../../support/manual-clock.ts";

function makeFolder(t: TestContext): (name: string) => string {
  const folder = mkdtempSync(join(tmpdir(), "meshctl-test-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return (name) => join(folder, name);
}

test("a file that was written, removed and made again is noticed each time, an untouched one never", async (t) => {
  const at = makeFolder(t);
  writeFileSync(at("crt"), "one");
  const clock = new ManualClock();
  let changes = 0;
  t.after(watchFiles([at("crt")], clock, () => (changes += 1)));
  await clock.advance(10_000);
  assert.equal(changes, 0);
  writeFileSync(at("crt"), "two, longer");
  await clock.advance(2000);
  assert.equal(changes, 1);
  rmSync(at("crt"));
  await clock.advance(2000);
  assert.equal(changes, 2);
  writeFileSync(at("crt"), "three");
  await clock.advance(2000);
  assert.equal(changes, 3);
});

test("a mount that Kubernetes swaps through a symlink is noticed", async (t) => {
  const at = makeFolder(t);
  for (const name of ["one", "two"]) {
    mkdirSync(at(name));
    writeFileSync(join(at(name), "crt"), "same text");
  }
  symlinkSync("one", at("data"));
  const clock = new ManualClock();
  let changes = 0;
  t.after(watchFiles([at("data/crt")], clock, () => (changes += 1)));
  symlinkSync("two", at("data.new"));
  renameSync(at("data.new"), at("data"));
  await clock.advance(2000);
  assert.equal(changes, 1);
});

test("nothing is noticed after the end of the watching", async (t) => {
  const at = makeFolder(t);
  writeFileSync(at("crt"), "one");
  const clock = new ManualClock();
  let changes = 0;
  watchFiles([at("crt")], clock, () => (changes += 1))();
  writeFileSync(at("crt"), "two, longer");
  await clock.advance(10_000);
  assert.equal(changes, 0);
});
