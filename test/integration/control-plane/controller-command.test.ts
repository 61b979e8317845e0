// `meshctl controller` as a process.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, describe, test } from "node:test";
import { eventually } from "../../support/eventually.ts";
import { runMeshctl } from "../../support/run-meshctl.ts";

const folder = mkdtempSync(join(tmpdir(), "meshctl-controller-command-"));
const SHOP = resolve(import.meta.dirname, "../../../samples/shop");
after(() => rmSync(folder, { recursive: true, force: true }));

const QUIET = ["--xds-address", "127.0.0.1:0", "--monitoring-address", "none"];

describe("meshctl controller", () => {
  for (const [what, args, expected] of [
    [
      "a missing source",
      ["--source", "/does/not/exist", ...QUIET],
      /^meshctl: --source \/does\/not\/exist: no such file or directory\n {2}\S/,
    ],
    ["no source at all", QUIET, /^meshctl: no --source given\n {2}\S/],
    ["an address that is none", ["--source", folder, "--xds-address", "nowhere"], /^meshctl: --xds-address: "nowhere" is not an address\n/],
    [
      "a trust domain that is none",
      ["--source", folder, ...QUIET, "--trust-domain", "a b"],
      /^meshctl: --trust-domain: "a b" can't be used\n/,
    ],
    [
      "a secure port without keys",
      ["--source", folder, "--secure-address", "127.0.0.1:0"],
      /^meshctl: --secure-address needs --token-issuer-keys\n/,
    ],
    [
      "a key file that isn't there",
      ["--source", folder, ...QUIET, "--token-issuer-keys", join(folder, "none.json")],
      /^meshctl: can't read the token issuer's keys from .*none\.json: no such file\n/,
    ],
  ] as const) {
    test(`ends with one message about ${what}`, async () => {
      const { code, stdout, stderr } = await runMeshctl(["controller", ...args]);
      assert.equal(code, 1);
      assert.equal(stdout, "");
      assert.match(stderr, expected);
      assert.equal(stderr.trimEnd().split("\n").length, 2, stderr);
    });
  }

  for (const flag of ["--xds-address", "--monitoring-address"]) {
    test(`names the address of ${flag} that somebody else has`, async () => {
      const taken = createServer().listen(0, "127.0.0.1");
      await once(taken, "listening");
      try {
        const address = `127.0.0.1:${(taken.address() as AddressInfo).port}`;
        const { code, stderr } = await runMeshctl(["controller", "--source", folder, ...QUIET, flag, address]);
        assert.equal(code, 1);
        assert.equal(stderr, `meshctl: ${address} is in use by another process\n  end it, or choose another address with ${flag}\n`);
      } finally {
        taken.close();
      }
    });
  }

  test("serves the sample shop, reports a bad file in its log, and ends in order on SIGTERM", async () => {
    writeFileSync(
      join(folder, "bad.yaml"),
      "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: a }\nspec: { host: [a] }\n",
    );
    const bin = resolve(import.meta.dirname, "../../../bin/meshctl");
    const args = ["--source", SHOP, folder, "--xds-address", "127.0.0.1:0", "--monitoring-address", "127.0.0.1:0", "--log-format", "text"];
    const child = spawn(bin, ["controller", ...args], { stdio: ["ignore", "ignore", "pipe"] });
    try {
      let log = "";
      child.stderr.setEncoding("utf8").on("data", (text: string) => (log += text));
      const port = await eventually(() => /serving 3 services .*monitoring=127\.0\.0\.1:(\d+)/.exec(log)![1], { withinMs: 10_000 });
      assert.equal((await fetch(`http://127.0.0.1:${port}/ready`)).status, 200);
      assert.match(log, / warn .*bad\.yaml:4:9: VirtualService default\/a: spec\.host: unknown field; did you mean "hosts"\?/);
      child.kill("SIGTERM");
      const [code] = (await once(child, "exit")) as [number | null];
      assert.equal(code, 0);
      assert.match(log, / stopping signal=SIGTERM\n$/);
    } finally {
      child.kill("SIGKILL");
    }
  });
});
