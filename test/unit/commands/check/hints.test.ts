// Where a check sends a person, there is something to read.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { test } from "node:test";
import { kubernetesApi } from "../../../../src/commands/check/checks/kubernetes-api.ts";
import { LOCAL_CATEGORIES } from "../../../../src/commands/check/local/local-checks.ts";
import { CATEGORIES } from "../../../../src/commands/check/look-at-cluster.ts";

const PAGE = resolve(import.meta.dirname, "../../../../docs/troubleshooting.md");

test("every check's hint is a heading of the page about troubleshooting, and every heading there is a hint", () => {
  const part = readFileSync(PAGE, "utf8").split("## What `meshctl check` finds")[1] ?? "";
  const anchors = [...part.matchAll(/^### (.+)$/gm)].map((match) => match[1]!.toLowerCase().replaceAll(" ", "-"));
  const categories = [kubernetesApi, ...Object.values(CATEGORIES).flat(), ...LOCAL_CATEGORIES];
  const hints = new Set(categories.flatMap((category) => category.checks.map((check) => check.hint)));
  assert.deepEqual([...hints].sort(), [...anchors].sort());
});
