import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { ServiceStarts } from "../../../scripts/service-starts.ts";

describe("service starts during an installation", () => {
  let folder: string;
  let policy: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "meshctl-policy-"));
    policy = join(folder, "policy-rc.d");
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  test("are denied while the work runs and no policy is left behind", async () => {
    await new ServiceStarts(policy).during(async () => {
      assert.match(readFileSync(policy, "utf8"), /exit 101/);
      assert.equal(statSync(policy).mode & 0o111, 0o111);
    });
    assert.equal(existsSync(policy), false);
  });

  test("put back the machine's own policy, also when the work fails", async () => {
    writeFileSync(policy, "#!/bin/sh\nexit 0\n", { mode: 0o755 });
    const failing = new ServiceStarts(policy).during(async () => {
      assert.match(readFileSync(policy, "utf8"), /exit 101/);
      throw new Error("no space left");
    });
    await assert.rejects(failing, /no space left/);
    assert.equal(readFileSync(policy, "utf8"), "#!/bin/sh\nexit 0\n");
  });

  test("find the machine's own policy again after a run that was killed", async () => {
    writeFileSync(policy, "#!/bin/sh\nexit 0\n", { mode: 0o755 });
    const starts = new ServiceStarts(policy);
    let leftByKilledRun = "";
    await starts.during(async () => {
      leftByKilledRun = readFileSync(policy, "utf8");
    });
    writeFileSync(`${policy}.before-meshctl`, "#!/bin/sh\nexit 0\n", { mode: 0o755 });
    writeFileSync(policy, leftByKilledRun);
    await starts.during(async () => {});
    assert.equal(readFileSync(policy, "utf8"), "#!/bin/sh\nexit 0\n");
    assert.equal(existsSync(`${policy}.before-meshctl`), false);
  });
});
