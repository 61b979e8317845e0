// The demo on a real mesh: its report, and that nothing is left of it however it or its mesh ends.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { findMesh, runFoldersRoot } from "../../src/local/run-folder.ts";
import { eventually } from "../support/eventually.ts";
import { ROOT, tracesOf } from "../support/local-mesh.ts";
import { cells } from "../support/table-cells.ts";

const SA = "spiffe://cluster.local/ns/shop/sa/";

const skip = process.getuid?.() === 0 ? false : "needs root for network namespaces";

describe("the demo", { skip }, () => {
  const name = `demo-${process.pid}`;
  const folder = join(runFoldersRoot(), name);

  test("without a terminal runs once, reports what it saw and leaves nothing", async () => {
    const child = spawn(process.execPath, [join(ROOT, "scripts/demo.ts"), "--name", name], {
      stdio: ["ignore", "pipe", "pipe"],
      timeout: 120_000,
    });
    let output = "";
    let log = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (log += text));
    const [code] = (await once(child, "close")) as [number];
    assert.equal(code, 0, log + output);
    const rows = cells(output.trimStart().split("\n\n")[0]!);
    assert.deepEqual(rows[0], ["FROM", "TO", "REQUESTS", "SUCCESS", "P50", "P99", "MTLS"]);
    assert.deepEqual(
      rows.slice(1).map((row) => [row[0], row[1], row[3], row[6]]),
      [
        ["meshctl-ingress", "frontend v1", "100%", "yes"],
        ["frontend", "checkout v1", "100%", "yes"],
        ["checkout", "payments v1", "100%", "yes"],
        ["checkout", "payments v2", "100%", "yes"],
      ],
    );
    assert.match(output, new RegExp(`payments-v2 +${SA}payments`));
    assert.match(output, /OK All 500 requests/);
    assert.equal(existsSync(folder), false);
  });

  test("interrupted while the pods come up, removes them", async () => {
    const child = spawn(join(ROOT, "bin/meshctl"), ["local", "demo", "--name", name], {
      stdio: ["ignore", "ignore", "pipe"],
      timeout: 120_000,
    });
    let log = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (log += text));
    const sandbox = await eventually(
      () => {
        const mesh = findMesh(name);
        assert.ok(mesh?.sandbox !== undefined && mesh.pods.length > 0);
        return mesh.sandbox;
      },
      { withinMs: 20_000 },
    );
    child.kill("SIGINT");
    const [code] = (await once(child, "close")) as [number];
    assert.equal(code, 130);
    assert.match(log, /\nremoving the mesh\nThe mesh is gone/);
    assert.equal(existsSync(folder), false);
    assert.throws(() => readFileSync(`/proc/${sandbox.pid}/stat`));
  });

  for (const [when, says, how] of [
    ["while the pods come up", "starting the mesh", "did not start:\n"],
    ["while requests are sent", "sending 500 requests", "has ended: "],
  ] as const) {
    test(`tells that its mesh was killed ${when}, and leaves nothing`, async () => {
      const child = spawn(join(ROOT, "bin/meshctl"), ["local", "demo", "--name", name], {
        stdio: ["ignore", "ignore", "pipe"],
        timeout: 120_000,
      });
      const closed = once(child, "close");
      let log = "";
      child.stderr.setEncoding("utf8").on("data", (text: string) => (log += text));
      const mesh = await eventually(
        () => {
          assert.ok(log.includes(says), log);
          return findMesh(name) ?? assert.fail("it has no run folder");
        },
        { withinMs: 40_000 },
      );
      process.kill(mesh.starter.pid, "SIGKILL");
      const [code] = (await closed) as [number];
      assert.equal(code, 1);
      assert.ok(log.includes(`the mesh ${how}meshctl local up was ended by SIGKILL`), log);
      assert.deepEqual(await tracesOf(name), []);
    });
  }

  test("killed outright, takes its mesh with it", async () => {
    const child = spawn(join(ROOT, "bin/meshctl"), ["local", "demo", "--name", name], { stdio: "ignore" });
    await eventually(() => assert.ok((findMesh(name)?.pods.length ?? 0) > 0), { withinMs: 20_000 });
    child.kill("SIGKILL");
    await eventually(() => assert.equal(existsSync(folder), false), { withinMs: 20_000 });
  });
});
