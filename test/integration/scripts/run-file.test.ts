import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import type { FileResult } from "../../../scripts/test-runner/run-file.ts";
import { runFile } from "../../../scripts/test-runner/run-file.ts";

const IMPORTS =
  'import { describe, test } from "node:test"; import assert from "node:assert/strict"; import { spawn } from "node:child_process";\n';
const TIMEOUT_MS = 20_000;

describe("a test file run by npm test", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "meshctl-runner-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const run = (text: string, timeoutMs = TIMEOUT_MS, signal = new AbortController().signal): Promise<FileResult> => {
    const file = join(folder, "sample.test.ts");
    writeFileSync(file, IMPORTS + text);
    return runFile(file, timeoutMs, signal);
  };
  const only = (result: FileResult): string => {
    assert.equal(result.failures.length, 1, JSON.stringify(result.failures));
    return result.failures[0]!.reason;
  };

  test("is counted test by test, groups not among them", async () => {
    const result = await run(
      'describe("group", () => { test("a", () => {}); test("b", async (t) => { await t.test("c", () => {}); }); test.skip("d"); });',
    );
    assert.deepEqual([result.passed, result.failures.length, result.skipped], [3, 0, 1]);
  });

  test("tells which test failed, where and why", async () => {
    const result = await run('test("good", () => {});\ntest("bad", () => assert.equal(1, 2));');
    assert.equal(result.passed, 1);
    assert.match(only(result), /1 !== 2/);
    assert.equal(result.failures[0]?.title, "bad");
    assert.equal(result.failures[0]?.line, 3);
  });

  test("fails with a broken hook of a group", async () => {
    const result = await run(
      'import { before } from "node:test"; describe("g", () => { before(() => { throw new Error("no ground"); }); test("x", () => {}); });',
    );
    assert.ok(
      result.failures.some((each) => each.title === "g" && each.reason.includes("no ground")),
      JSON.stringify(result),
    );
  });

  test("fails when it does not parse", async () => {
    assert.match(only(await run("const = 3;")), /^exit code 1 before its first test; it printed:[^]*ERR_INVALID_TYPESCRIPT_SYNTAX/);
  });

  test("fails when it has no tests", async () => {
    assert.match(only(await run("export {};")), /^(has no tests|exit code 0 before its first test)$/);
  });

  test("fails when it ends the process before its tests are through", async () => {
    assert.match(only(await run('test("early", async () => { process.exit(0); });')), /^exit code 0 /);
  });

  test("is stopped at its time limit, and the hanging test is named", async () => {
    const result = await run('test("fine", () => {}); test("hangs", () => new Promise(() => setInterval(() => {}, 1000)));', 1500);
    assert.equal(result.passed, 1);
    assert.match(only(result), /^still running after 1\.5 s in the middle of: hangs/);
  });

  test("is stopped at its time limit when something is left open after the last test", async () => {
    assert.match(only(await run('test("fine", () => void setInterval(() => {}, 1000));', 1500)), /^still running after 1\.5 s/);
  });

  test("leaves no process behind, whatever session it moved to", async () => {
    const pidFile = join(folder, "pid");
    const result = await run(
      `import { writeFileSync } from "node:fs";
       test("starts a daemon", () => {
         const child = spawn("sleep", ["300"], { detached: true, stdio: "inherit" });
         child.unref();
         writeFileSync(${JSON.stringify(pidFile)}, String(child.pid));
       });`,
    );
    assert.deepEqual([result.passed, result.failures.length], [1, 0]);
    // Gone, or ended and not yet reaped: then its command line is empty.
    const commandLine = `/proc/${readFileSync(pidFile, "utf8")}/cmdline`;
    assert.equal(existsSync(commandLine) ? readFileSync(commandLine, "utf8") : "", "");
  });

  test("ends when the run is interrupted", async () => {
    const stop = new AbortController();
    const running = run('test("hangs", () => new Promise(() => setInterval(() => {}, 1000)));', TIMEOUT_MS, stop.signal);
    stop.abort(130);
    assert.match(only(await running), /^ended by SIGTERM/);
  });
});
