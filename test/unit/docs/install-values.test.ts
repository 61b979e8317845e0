// docs/install.md lists every value of an installation, with the default that it has.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { test } from "node:test";
import { valuePaths } from "../../../src/manifests/install/install-values.ts";
import { resolveValues } from "../../../src/manifests/install/profiles.ts";

const PAGE = resolve(import.meta.dirname, "../../../docs/install.md");

test("the page about installing has every value and its default", () => {
  const rows = [...readFileSync(PAGE, "utf8").matchAll(/^\| `([\w.]+)` \| `(.*?)` \|/gm)].map((match) => [match[1], match[2]]);
  const { values } = resolveValues([{ image: "meshctl:<version>" }]);
  const defaultOf = (path: string): unknown =>
    path.split(".").reduce<unknown>((sum, step) => (sum as Record<string, unknown>)[step], values);
  assert.deepEqual(
    rows,
    valuePaths().map((path) => [path, JSON.stringify(defaultOf(path))]),
  );
});
