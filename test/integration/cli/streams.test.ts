// What becomes of a command whose standard output or standard error can't be written to.
import assert from "node:assert/strict";
import { resolve } from "node:path";
import { describe, test } from "node:test";
import { runProgram, type ProgramResult } from "../../support/run-program.ts";

const MESHCTL = resolve(import.meta.dirname, "../../../bin/meshctl");
const SHOP = resolve(import.meta.dirname, "../../../samples/shop/shop.yaml");

/** `meshctl` in a line of the shell; the exit code is the one of the line. */
function shell(line: string): Promise<ProgramResult> {
  return runProgram("bash", ["-c", `set -o pipefail; meshctl() { '${MESHCTL}' "$@"; }; ${line}`], { timeoutMs: 30_000 });
}

describe("meshctl", { concurrency: 2 }, () => {
  test("ends quietly, and with success, when who reads its output has left", async () => {
    assert.deepEqual(await shell("meshctl install --offline | head -1"), { code: 0, stdout: "---\n", stderr: "" });
  });

  test("says in one line that its output can't be written", async () => {
    const message = "meshctl: can't write to standard output: no space left\n";
    assert.deepEqual(await shell("meshctl install --offline > /dev/full"), { code: 1, stdout: "", stderr: message });
  });

  test("prints what was asked for where nobody reads its remarks", async () => {
    const [told, untold] = await Promise.all([
      shell(`meshctl inject '${SHOP}'`),
      // A pipe whose reader has left before the first remark.
      shell(`exec 5> >(:); wait $!; meshctl inject '${SHOP}' 2>&5`),
    ]);
    assert.equal(told.code, 0);
    assert.deepEqual([untold.code, untold.stdout], [0, told.stdout]);
  });
});
