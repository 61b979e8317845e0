// Whether somebody else in the pod is at work, by the kernel's tables.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { areOthersAtWork, waitForOthersInPod } from "../../../src/proxy-runtime/others-in-pod.ts";

const HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
const line = (state: string, uid: number): string =>
  `   0: 0100007F:1F90 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000 ${String(uid).padStart(5)}        0 1234 1 0000000000000000 100 0 0 10 0\n`;

test("a sidecar that outlives its application waits until nobody else listens or is connected", async () => {
  const folder = mkdtempSync(join(tmpdir(), "meshctl-test-"));
  try {
    const [v4, v6] = [join(folder, "tcp"), join(folder, "tcp6")];
    // Its own sockets, and those that nobody holds any more (FIN-WAIT-2, TIME-WAIT), don't count.
    const quiet = HEAD + line("0A", 1337) + line("01", 1337) + line("05", 0) + line("06", 0);
    for (const [text, expected] of [
      [quiet, false],
      [quiet + line("0A", 10_001), true],
      [quiet + line("01", 10_001), true],
      [quiet + line("08", 10_001), false],
    ] as const) {
      writeFileSync(v4, text);
      assert.equal(await areOthersAtWork([v4]), expected, text);
    }
    writeFileSync(v4, quiet + line("01", 10_001));
    writeFileSync(v6, HEAD + line("0A", 10_001));
    let isOver = false;
    const over = waitForOthersInPod([v4, v6, join(folder, "missing")]).then(() => (isOver = true));
    writeFileSync(v4, quiet);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(isOver, false);
    writeFileSync(v6, HEAD);
    await over;
  } finally {
    rmSync(folder, { recursive: true });
  }
});
