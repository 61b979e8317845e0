import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { test } from "node:test";
import { parseConfigDump } from "../../../../src/commands/inspect/proxy-config/config-dump.ts";
import { secretTable } from "../../../../src/commands/inspect/proxy-config/secret-table.ts";

const file = resolve(import.meta.dirname, "../../../golden/proxy-config/istio-sidecar.json");
const secrets = parseConfigDump(readFileSync(file, "utf8"), "the dump").section("SecretsConfigDump");
const DURING = Date.parse("2026-11-21T12:00:00Z");
const AFTER = Date.parse("2026-11-23T00:00:00Z");

test("shows a row per certificate, with its serial number and times", () => {
  assert.deepEqual(
    secretTable(secrets, DURING)
      .split("\n")
      .map((line) => line.split(/ {2,}/)),
    [
      ["RESOURCE NAME", "TYPE", "STATUS", "VALID CERT", "SERIAL NUMBER", "NOT AFTER", "NOT BEFORE"],
      ["default", "Cert Chain", "ACTIVE", "true", "5f3c9a11e0427d", "2026-11-22T03:46:16Z", "2026-11-21T03:46:16Z"],
      [
        "default",
        "Cert Chain",
        "ACTIVE",
        "true",
        "5225f2d8335de6d7736dd4b7fb100d85096e4b79",
        "2036-11-18T03:46:16Z",
        "2026-11-21T03:46:16Z",
      ],
      ["ROOTCA", "CA", "ACTIVE", "true", "5225f2d8335de6d7736dd4b7fb100d85096e4b79", "2036-11-18T03:46:16Z", "2026-11-21T03:46:16Z"],
      ["kubernetes://gateway", "WARMING", "false"],
      [""],
    ],
  );
});

test("says of an expired certificate that it is not valid", () => {
  const validity = secretTable(secrets, AFTER)
    .split("\n")
    .slice(1, 4)
    .map((line) => line.split(/ {2,}/)[3]);
  assert.deepEqual(validity, ["false", "true", "true"]);
});

test("never prints a key", () => {
  assert.ok(!secretTable(secrets, DURING).includes("redacted"));
});
