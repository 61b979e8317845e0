// `meshctl check --proxy --local` on a real mesh: sound, and with a mistake in its files.
import assert from "node:assert/strict";
import { cpSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { CAN_RUN_LOCAL_MESH, LocalMesh, meshctl, ROOT, type CommandResult } from "../support/local-mesh.ts";

const mesh = new LocalMesh("check");
const files = join(mesh.folder, "shop");

function check(...args: string[]): Promise<CommandResult> {
  return meshctl("check", "--proxy", "--local", "--mesh", mesh.name, "--wait", "0s", ...args);
}

describe("checking a local mesh", { skip: CAN_RUN_LOCAL_MESH ? false : "needs root for network namespaces" }, () => {
  before(async () => {
    cpSync(join(ROOT, "samples/shop"), files, { recursive: true });
    await mesh.start("-f", files);
  });
  after(() => mesh.stop());

  test("finds nothing wrong in the shop", async () => {
    const { code, stdout } = await check("--wait", "30s");
    assert.deepEqual([code, stdout.match(/[×‼].*/g)], [0, null], stdout);
    for (const each of ["the control plane is ready", "traffic of meshed pods is captured", "sidecars are connected to the control plane"])
      assert.ok(stdout.includes(`√ ${each}\n`), stdout);
  });

  test("tells a mistake in its files with file and line", async () => {
    writeFileSync(
      join(files, "broken.yaml"),
      "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: x}\nspec: {hots: []}\n",
    );
    await eventually(
      async () => {
        const { code, stdout } = await check("-o", "short");
        assert.equal(code, 1);
        assert.match(stdout, /× its files are understood\n(?: {4}.*\n)* {4}.*broken\.yaml:4:8: .* spec\.hots: unknown field/);
      },
      { withinMs: 30_000 },
    );
  });
});
