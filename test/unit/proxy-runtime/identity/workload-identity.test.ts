import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { test } from "node:test";
import type { TestContext } from "node:test";
import type { RequestCertificate } from "../../../../src/ca/client/create-certificate-client.ts";
import type { SecretConfig } from "../../../../src/proxy-runtime/config/tls-config.ts";
import { WorkloadIdentity } from "../../../../src/proxy-runtime/identity/workload-identity.ts";
import type { WorkloadIdentityOptions } from "../../../../src/proxy-runtime/identity/workload-identity.ts";
import { eventually } from "../../../support/eventually.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { selfSigned, verifyChain } from "../../../support/openssl.ts";
import { createTestAuthority } from "../../../support/test-authority.ts";

const HOUR_MS = 3_600_000;
const spiffeId = "spiffe://cluster.local/ns/shop/sa/frontend";
const startMs = Math.floor(Date.now() / 1000) * 1000;

/** An identity whose CA can be told to fail; moves its clock in steps, as signing takes more than promises. */
async function rig(t: TestContext, overrides: Partial<WorkloadIdentityOptions> = {}) {
  const clock = new ManualClock(startMs);
  const ca = await createTestAuthority(clock);
  const pushes: (readonly SecretConfig[])[] = [];
  const logs: string[] = [];
  const state = { calls: 0, busy: 0, failure: undefined as Error | undefined, request: ca.requestFor(spiffeId) };
  const requestCertificate: RequestCertificate = async (csrPem, ttlS) => {
    state.calls++;
    state.busy++;
    try {
      if (state.failure !== undefined) throw state.failure;
      return await state.request(csrPem, ttlS);
    } finally {
      state.busy--;
    }
  };
  const identity = new WorkloadIdentity({
    spiffeId,
    rootsPem: ca.rootsPem,
    requestCertificate,
    ttlS: 24 * 3600,
    clock,
    onSecrets: (secrets) => pushes.push(secrets),
    log: (level, message) => logs.push(`${level} ${message}`),
    random: () => 0.5,
    ...overrides,
  });
  t.after(() => identity.stop());
  /** Waits until the running check has set its next timer. */
  const idle = (): Promise<void> => eventually(() => assert.ok(state.busy === 0 && clock.pending > 0), { withinMs: 3000 });
  async function advance(byMs: number): Promise<void> {
    const endMs = clock.now() + byMs;
    while (clock.now() < endMs) {
      await idle();
      await clock.advance(Math.min(60_000, endMs - clock.now()));
    }
    await idle();
  }
  return { clock, ca, identity, pushes, logs, state, idle, advance };
}

function leafOf(secrets: readonly SecretConfig[] | undefined): X509Certificate {
  const secret = secrets?.find((each) => each.kind === "certificate");
  assert.ok(secret?.kind === "certificate");
  return new X509Certificate(secret.chainPem);
}

test("serves a certificate with its key and the roots under the names that Envoy's configuration uses", async (t) => {
  const { identity, pushes, ca } = await rig(t);
  assert.deepEqual(identity.secrets, []);
  identity.start();
  await identity.ready;
  assert.equal(pushes.length, 1);
  const [certificate, roots] = pushes[0]!;
  assert.ok(certificate?.kind === "certificate" && certificate.name === "default");
  assert.ok(roots?.kind === "validation" && roots.name === "ROOTCA");
  assert.equal(roots.rootsPem, ca.rootsPem);
  assert.equal(leafOf(pushes[0]).subjectAltName, `URI:${spiffeId}`);
  assert.equal(verifyChain([certificate.chainPem], roots.rootsPem), "");
  assert.match(certificate.keyPem, /BEGIN PRIVATE KEY/);
});

test("renews at half of the life, with a new key, and not before", async (t) => {
  const { identity, pushes, state, advance } = await rig(t);
  identity.start();
  await identity.ready;
  await advance(12 * HOUR_MS - 60_000);
  assert.equal(state.calls, 1);
  await advance(60_000);
  assert.equal(pushes.length, 2);
  assert.notEqual(leafOf(pushes[1]).serialNumber, leafOf(pushes[0]).serialNumber);
  assert.notDeepEqual(pushes[1]![0], pushes[0]![0]);
  await advance(12 * HOUR_MS);
  assert.equal(pushes.length, 3);
});

for (const [random, atMs] of [
  [0, 0.51],
  [1, 0.49],
] as const) {
  test(`moves the renewal to ${atMs} of the life at the end of the jitter`, async (t) => {
    const { identity, state, advance } = await rig(t, { random: () => random });
    identity.start();
    await identity.ready;
    await advance(24 * HOUR_MS * atMs - 1000);
    assert.equal(state.calls, 1);
    await advance(2000);
    assert.equal(state.calls, 2);
  });
}

test("keeps the last good certificate while the CA fails, tries again, and takes the next one", async (t) => {
  const { identity, pushes, logs, state, advance } = await rig(t);
  identity.start();
  await identity.ready;
  state.failure = new Error("the CA is away");
  await advance(13 * HOUR_MS);
  assert.equal(pushes.length, 1);
  assert.deepEqual(identity.secrets, pushes[0]);
  // 15 s apart at the limit of the backoff: an hour has about 240 of them.
  assert.ok(state.calls > 200 && state.calls < 300, `${state.calls}`);
  assert.match(logs.at(-1)!, /^warn no certificate from the CA: the CA is away; the one at hand stays in use, next try in 15 s$/);
  state.failure = undefined;
  await advance(60_000);
  assert.equal(pushes.length, 2);
});

test("warns once when a tenth of the life is left, and once when it is over", async (t) => {
  const { identity, logs, state, advance } = await rig(t, { ttlS: 3600 });
  identity.start();
  await identity.ready;
  state.failure = new Error("the CA is away");
  const warnings = (): string[] => logs.filter((each) => /certificate expire/.test(each));
  await advance(53 * 60_000);
  assert.deepEqual(warnings(), []);
  await advance(5 * 60_000);
  assert.equal(warnings().length, 1);
  assert.match(warnings()[0]!, /^warn certificate expires at \S+Z, in \d+ s, and could not be renewed yet$/);
  await advance(10 * 60_000);
  assert.equal(warnings().length, 2);
  assert.match(warnings()[1]!, /^error certificate expired at/);
});

test("tells the end of its certificate when it comes, even while the CA keeps it waiting", async (t) => {
  const { clock, identity, logs, state, idle } = await rig(t, { ttlS: 10 });
  identity.start();
  await identity.ready;
  await idle();
  state.request = () => new Promise(() => {});
  await clock.advance(6000);
  await eventually(() => assert.equal(state.busy, 1), { withinMs: 3000 });
  await clock.advance(5000);
  assert.match(logs.at(-1)!, /^error certificate expired at/);
});

test("tries until the CA answers for the first time", async (t) => {
  const { identity, pushes, logs, state, advance } = await rig(t);
  state.failure = new Error("connect ECONNREFUSED");
  identity.start();
  await advance(120_000);
  assert.equal(pushes.length, 0);
  assert.match(logs[0]!, /connect ECONNREFUSED; there is none yet/);
  state.failure = undefined;
  await advance(60_000);
  await identity.ready;
  assert.equal(pushes.length, 1);
});

test("adds a root that the CA's answer brought to those of the file, once", async (t) => {
  const { identity, pushes, ca, state, advance } = await rig(t);
  identity.start();
  await identity.ready;
  const next = await createTestAuthority(new ManualClock(startMs));
  state.request = next.requestFor(spiffeId);
  await advance(12 * HOUR_MS);
  const roots = pushes[1]?.[1];
  assert.ok(roots?.kind === "validation");
  assert.equal(roots.rootsPem, ca.rootsPem + next.rootsPem);
});

test("serves a changed root file at once", async (t) => {
  const { identity, pushes, ca } = await rig(t);
  identity.start();
  await identity.ready;
  const added = selfSigned("DNS:next-root.test").certificate;
  identity.setRoots(ca.rootsPem + added);
  const roots = pushes[1]?.[1];
  assert.ok(roots?.kind === "validation");
  assert.equal(roots.rootsPem, ca.rootsPem + added);
});

for (const [what, answer, message] of [
  ["for another key", async () => [selfSigned("DNS:x").certificate], /for another key/],
  ["without a certificate", async () => ["hello"], /no certificate/],
] as const) {
  test(`refuses an answer ${what}`, async (t) => {
    const { identity, pushes, logs, state, idle } = await rig(t);
    state.request = answer;
    identity.start();
    await idle();
    await eventually(() => assert.match(logs[0]!, message), { withinMs: 1000 });
    assert.equal(pushes.length, 0);
  });
}

test("refuses a certificate that is expired by its own clock", async (t) => {
  const { identity, pushes, logs, state } = await rig(t);
  const past = await createTestAuthority(new ManualClock(startMs - 48 * HOUR_MS));
  state.request = past.requestFor(spiffeId);
  identity.start();
  await eventually(() => assert.match(logs[0]!, /expired since/), { withinMs: 2000 });
  assert.equal(pushes.length, 0);
});

test("says so when the CA gives another name than expected, and uses it", async (t) => {
  const { identity, logs, ca, state } = await rig(t);
  state.request = ca.requestFor("spiffe://cluster.local/ns/shop/sa/other");
  identity.start();
  await identity.ready;
  assert.match(logs[0]!, /^warn the CA's certificate is for URI:\S+\/sa\/other, not for \S+\/sa\/frontend$/);
});

test("asks a CA that can give only a moment of life at most once a second", async (t) => {
  const { identity, state, advance, ca } = await rig(t);
  state.request = (csrPem) => ca.requestFor(spiffeId)(csrPem, 1);
  identity.start();
  await identity.ready;
  for (let i = 0; i < 100; i++) await advance(100);
  assert.ok(state.calls > 5 && state.calls <= 11, `${state.calls}`);
});

test("asks no more once stopped", async (t) => {
  const { identity, clock, idle } = await rig(t);
  identity.start();
  await identity.ready;
  await idle();
  identity.stop();
  assert.equal(clock.pending, 0);
});
