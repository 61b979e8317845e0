// The Dockerfile, as far as it can be judged without building anything: test/e2e/image.test.ts performs it.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, test } from "node:test";
import { isInContext, parseCopy, parseDockerfile } from "../../support/image/dockerfile.ts";

const root = resolve(import.meta.dirname, "../../..");
const read = (name: string): string => readFileSync(join(root, name), "utf8");
const ARCH = process.arch;

describe("the Dockerfile", () => {
  const steps = parseDockerfile(read("Dockerfile"), { ARCH });
  const copies = steps.filter(({ name }) => name === "COPY").map(({ text }) => parseCopy(text));
  const sources = copies.flatMap((each) => each.sources);

  test("copies what is there after npm ci, and what .dockerignore lets through", { skip: process.platform !== "linux" }, () => {
    for (const each of sources) {
      assert.ok(existsSync(join(root, each)), `${each} does not exist`);
      assert.ok(isInContext(each, read(".dockerignore")), `${each} is left out by .dockerignore`);
    }
  });

  test("makes everything readable by any user, whatever the checkout's modes are", () => {
    for (const { mode, target } of copies) assert.equal(mode & 0o555, 0o555, target);
  });

  test("copies no sources, no secrets and no packages that are only needed to build", () => {
    const ignore = read(".dockerignore");
    for (const each of ["src/main.ts", ".git/config", ".npmrc", "node_modules/typescript/package.json", "test/e2e/image.test.ts"])
      assert.equal(isInContext(each, ignore), false, each);
  });

  test("is labelled with the package's version", () => {
    const { version } = JSON.parse(read("package.json")) as { version: string };
    assert.ok(steps.some(({ name, text }) => name === "LABEL" && text === `org.opencontainers.image.version="${version}"`));
  });
});
