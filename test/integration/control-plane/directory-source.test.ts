// The directory source against a real file system.
import assert from "node:assert/strict";
import { appendFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { systemClock } from "../../../src/common/clock.ts";
import { DirectorySource } from "../../../src/control-plane/sources/directory-source.ts";
import type { SourceChange } from "../../../src/control-plane/sources/source.ts";
import { eventually } from "../../support/eventually.ts";

let folder: string;
let source: DirectorySource | undefined;
/** What each part holds now: names of its objects, or the text of its problem. */
let parts: Map<string, string[]>;
let changes: number;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "meshctl-source-"));
  parts = new Map();
  changes = 0;
});
afterEach(() => {
  source?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const yaml = (...names: readonly string[]): string =>
  names.map((each) => `apiVersion: v1\nkind: Namespace\nmetadata: { name: ${each} }\n`).join("---\n");
const at = (name: string): string => join(folder, name);
const within = { withinMs: 1500 };

async function follow(...paths: readonly string[]): Promise<void> {
  source = new DirectorySource(paths, systemClock);
  await source.start((found: readonly SourceChange[]) => {
    for (const each of found) {
      changes++;
      if (each.readable && each.objects.length === 0) parts.delete(each.part);
      else
        parts.set(each.part, each.readable ? each.objects.map((object) => object.name) : each.problems.map((problem) => problem.message));
    }
  });
}

test("reads a folder and its folders, links among them, and nothing hidden or foreign", async () => {
  mkdirSync(at("sub/deep"), { recursive: true });
  writeFileSync(at("a.yaml"), yaml("a"));
  writeFileSync(at("sub/deep/b.json"), '{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"b"}}');
  writeFileSync(at(".a.yaml.swp.yaml"), yaml("hidden"));
  writeFileSync(at("readme.md"), "# no");
  symlinkSync(at("."), at("sub/loop"));
  await follow(folder);
  assert.deepEqual([...parts].sort(), [
    [at("a.yaml"), ["a"]],
    [at("sub/deep/b.json"), ["b"]],
  ]);
});

test("notices edits in place, by rename, new files, new folders, and removals", async () => {
  writeFileSync(at("a.yaml"), yaml("a"));
  await follow(folder);
  appendFileSync(at("a.yaml"), `---\n${yaml("b")}`);
  await eventually(() => assert.deepEqual(parts.get(at("a.yaml")), ["a", "b"]), within);
  writeFileSync(at(".tmp"), yaml("c"));
  renameSync(at(".tmp"), at("a.yaml"));
  await eventually(() => assert.deepEqual(parts.get(at("a.yaml")), ["c"]), within);
  mkdirSync(at("new/er"), { recursive: true });
  writeFileSync(at("new/er/d.yml"), yaml("d"));
  await eventually(() => assert.deepEqual(parts.get(at("new/er/d.yml")), ["d"]), within);
  writeFileSync(at("new/er/d.yml"), yaml("e"));
  await eventually(() => assert.deepEqual(parts.get(at("new/er/d.yml")), ["e"]), within);
  unlinkSync(at("a.yaml"));
  await eventually(() => assert.equal(parts.has(at("a.yaml")), false), within);
});

test("is quick: an edit by rename is seen in well under 300 ms", async () => {
  writeFileSync(at("a.yaml"), yaml("a"));
  await follow(folder);
  const startMs = performance.now();
  writeFileSync(at(".tmp"), yaml("b"));
  renameSync(at(".tmp"), at("a.yaml"));
  await eventually(() => assert.deepEqual(parts.get(at("a.yaml")), ["b"]), within);
  assert.ok(performance.now() - startMs < 300, `took ${performance.now() - startMs} ms`);
});

test("does not believe a file that is empty only because it is just being written", async () => {
  writeFileSync(at("a.yaml"), yaml("a"));
  await follow(folder);
  const before = changes;
  writeFileSync(at("a.yaml"), "");
  // Something else is seen meanwhile, so the folder has been looked through.
  writeFileSync(at("b.yaml"), yaml("b"));
  await eventually(() => assert.deepEqual(parts.get(at("b.yaml")), ["b"]), within);
  assert.deepEqual(parts.get(at("a.yaml")), ["a"]);
  writeFileSync(at("a.yaml"), yaml("c"));
  await eventually(() => assert.deepEqual(parts.get(at("a.yaml")), ["c"]), within);
  assert.equal(changes, before + 2);
  writeFileSync(at("a.yaml"), "");
  await eventually(() => assert.equal(parts.has(at("a.yaml")), false), within);
});

test("a file that is only touched is no change", async () => {
  writeFileSync(at("a.yaml"), yaml("a"));
  await follow(folder);
  const before = changes;
  writeFileSync(at("a.yaml"), yaml("a"));
  writeFileSync(at("b.yaml"), yaml("b"));
  await eventually(() => assert.deepEqual(parts.get(at("b.yaml")), ["b"]), within);
  assert.equal(changes, before + 1);
});

test("follows a file named directly, and a ConfigMap's mount where links are swapped", async () => {
  mkdirSync(at("..one"));
  mkdirSync(at("..two"));
  writeFileSync(at("..one/mesh.yaml"), yaml("one"));
  writeFileSync(at("..two/mesh.yaml"), yaml("two"));
  symlinkSync("..one", at("..data"));
  symlinkSync("..data/mesh.yaml", at("mesh.yaml"));
  await follow(at("mesh.yaml"));
  assert.deepEqual(parts.get(at("mesh.yaml")), ["one"]);
  symlinkSync("..two", at("..next"));
  renameSync(at("..next"), at("..data"));
  await eventually(() => assert.deepEqual(parts.get(at("mesh.yaml")), ["two"]), within);
});

test("keeps what a path said that is gone, says so once, and takes it up again", async () => {
  mkdirSync(at("mesh"));
  writeFileSync(at("mesh/a.yaml"), yaml("a"));
  writeFileSync(at("mesh/b.yaml"), yaml("b"));
  writeFileSync(at("single.yaml"), yaml("single"));
  await follow(at("mesh"), at("single.yaml"));
  rmSync(at("mesh"), { recursive: true });
  unlinkSync(at("single.yaml"));
  const message = "is gone; what it says stays in force until it is back";
  await eventually(
    () =>
      assert.deepEqual([...parts].sort(), [
        [at("mesh/a.yaml"), [message]],
        [at("mesh/b.yaml"), []],
        [at("single.yaml"), [message]],
      ]),
    within,
  );
  mkdirSync(at("mesh"));
  writeFileSync(at("mesh/a.yaml"), yaml("c"));
  await eventually(
    () =>
      assert.deepEqual([...parts].sort(), [
        [at("mesh/a.yaml"), ["c"]],
        [at("single.yaml"), [message]],
      ]),
    within,
  );
  writeFileSync(at("mesh/a.yaml"), yaml("d"));
  await eventually(() => assert.deepEqual(parts.get(at("mesh/a.yaml")), ["d"]), within);
});
