import assert from "node:assert/strict";
import { test } from "node:test";
import { Causes } from "../../../../src/proxy-runtime/failure/causes.ts";
import { RefusalLog, type Refusal } from "../../../../src/proxy-runtime/telemetry/refusal-log.ts";

const REFUSAL: Refusal = {
  listener: "virtualInbound",
  remote: "10.0.0.1:4000",
  remoteIp: "10.0.0.1",
  local: "10.0.0.2:8080",
  reason: "no filter chain takes plaintext",
  cause: Causes.noFilterChain,
};

function startLog() {
  const said: Readonly<Record<string, unknown>>[] = [];
  const clock = { nowMs: 5 };
  const log = new RefusalLog(
    (_message, fields) => said.push(fields),
    () => clock.nowMs,
  );
  return { said, clock, log };
}

test("says at once who was refused where and why", () => {
  const { said, log } = startLog();
  log.note(REFUSAL);
  const { remoteIp: _, cause: __, ...fields } = REFUSAL;
  assert.deepEqual(said, [{ ...fields, flag: "NR", by: "policy" }]);
});

test("says it once a minute for the same client and reason, and then how many there were", () => {
  const { said, clock, log } = startLog();
  for (let port = 4000; port < 4010; port++) log.note({ ...REFUSAL, remote: `10.0.0.1:${port}` });
  assert.equal(said.length, 1);
  clock.nowMs += 60_000;
  log.note(REFUSAL);
  assert.deepEqual(
    said.slice(1).map((fields) => fields["refusedBefore"]),
    [9],
  );
  clock.nowMs += 59_999;
  log.note(REFUSAL);
  assert.equal(said.length, 2);
});

test("doesn't keep one client's or reason's quiet for another", () => {
  const { said, log } = startLog();
  log.note(REFUSAL);
  log.note({ ...REFUSAL, remoteIp: "10.0.0.3", remote: "10.0.0.3:1" });
  log.note({ ...REFUSAL, reason: "verify_failed: CERT_HAS_EXPIRED" });
  assert.equal(said.length, 3);
});

test("remembers no more than a few hundred kinds", () => {
  const { said, log } = startLog();
  log.note(REFUSAL);
  for (let index = 0; index < 300; index++) log.note({ ...REFUSAL, remoteIp: `10.1.0.${index}` });
  log.note(REFUSAL);
  assert.equal(said.length, 302);
});
