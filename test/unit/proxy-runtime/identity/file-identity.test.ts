import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { UserError } from "../../../../src/common/user-error.ts";
import type { SecretConfig } from "../../../../src/proxy-runtime/config/tls-config.ts";
import { daysUntilExpiration, readCertificateFacts, readSecretFacts } from "../../../../src/proxy-runtime/identity/certificate-facts.ts";
import { startFileIdentity } from "../../../../src/proxy-runtime/identity/file-identity.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { openssl, selfSigned } from "../../../support/openssl.ts";
import { createTestAuthority } from "../../../support/test-authority.ts";

const first = selfSigned("URI:spiffe://td/ns/a/sa/b,DNS:a.test,IP:10.0.0.1");
const second = selfSigned("DNS:b.test");

function rig(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), "meshctl-test-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const [chainFile, keyFile, rootsFile] = ["cert-chain.pem", "key.pem", "root-cert.pem"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  const write = (pair: { certificate: string; key: string }): void => {
    writeFileSync(chainFile, pair.certificate);
    writeFileSync(keyFile, pair.key);
    writeFileSync(rootsFile, pair.certificate);
  };
  write(first);
  const clock = new ManualClock();
  const pushes: (readonly SecretConfig[])[] = [];
  const logs: string[] = [];
  const start = (): void => {
    const options = { chainFile, keyFile, rootsFile, clock, onSecrets: (each: readonly SecretConfig[]) => pushes.push(each) };
    t.after(startFileIdentity({ ...options, log: (level, message) => logs.push(`${level} ${message}`) }));
  };
  return { folder, chainFile, keyFile, rootsFile, clock, pushes, logs, start, write };
}

test("serves the files at start, and again after they changed", async (t) => {
  const { clock, pushes, start, write } = rig(t);
  start();
  assert.deepEqual(
    pushes[0]?.map((each) => each.name),
    ["default", "ROOTCA"],
  );
  await clock.advance(10_000);
  assert.equal(pushes.length, 1);
  write(second);
  await clock.advance(2000);
  assert.equal(pushes.length, 2);
  const certificate = pushes[1]?.[0];
  assert.ok(certificate?.kind === "certificate");
  assert.equal(certificate.chainPem, second.certificate);
});

test("keeps the last good ones while key and certificate don't match", async (t) => {
  const { clock, pushes, logs, start, keyFile, chainFile, rootsFile } = rig(t);
  start();
  writeFileSync(keyFile, second.key);
  await clock.advance(2000);
  assert.equal(pushes.length, 1);
  assert.match(logs[0]!, /^warn .*key\.pem is not the private key of .*cert-chain\.pem; the certificate read before stays in use$/);
  writeFileSync(chainFile, second.certificate);
  writeFileSync(rootsFile, second.certificate);
  await clock.advance(2000);
  assert.equal(pushes.length, 2);
});

test("sees a mount that Kubernetes swaps through a symlink", async (t) => {
  const { folder, clock } = rig(t);
  const at = (name: string): string => join(folder, name);
  for (const [name, pair] of [
    ["one", first],
    ["two", second],
  ] as const) {
    mkdirSync(at(name));
    writeFileSync(join(at(name), "crt"), pair.certificate);
    writeFileSync(join(at(name), "key"), pair.key);
  }
  symlinkSync("one", at("data"));
  const pushes: (readonly SecretConfig[])[] = [];
  const stop = startFileIdentity({
    chainFile: at("data/crt"),
    keyFile: at("data/key"),
    rootsFile: at("data/crt"),
    clock,
    onSecrets: (each) => pushes.push(each),
    log: () => {},
  });
  t.after(stop);
  symlinkSync("two", at("data.new"));
  renameSync(at("data.new"), at("data"));
  await clock.advance(2000);
  assert.equal(pushes.length, 2);
});

for (const [what, damage, message] of [
  ["is missing", (r: ReturnType<typeof rig>) => rmSync(r.keyFile), /can't read .*key\.pem: no such file/],
  ["holds no key", (r: ReturnType<typeof rig>) => writeFileSync(r.keyFile, "x"), /key\.pem holds no readable private key/],
  [
    "holds no certificate",
    (r: ReturnType<typeof rig>) => writeFileSync(r.rootsFile, "x"),
    /root-cert\.pem holds no readable PEM certificate/,
  ],
  ["is of another certificate", (r: ReturnType<typeof rig>) => writeFileSync(r.keyFile, second.key), /is not the private key of/],
] as const) {
  test(`names the file at start when one ${what}`, (t) => {
    const all = rig(t);
    damage(all);
    assert.throws(all.start, (error: unknown) => error instanceof UserError && message.test(error.message));
  });
}

test("tells serial, names and validity as openssl does", () => {
  const [facts] = readCertificateFacts(first.certificate);
  assert.ok(facts !== undefined);
  assert.equal(`serial=${facts.serialNumber}`, openssl(["x509", "-noout", "-serial"], first.certificate).trim().toLowerCase());
  assert.deepEqual(facts.subjectAltNames, [
    { type: "uri", value: "spiffe://td/ns/a/sa/b" },
    { type: "dns", value: "a.test" },
    { type: "ip", value: "10.0.0.1" },
  ]);
  assert.equal(facts.notAfterMs - facts.notBeforeMs, 86_400_000);
  assert.equal(daysUntilExpiration(facts, facts.notBeforeMs), 1);
  assert.equal(daysUntilExpiration(facts, facts.notBeforeMs + 1), 0);
  assert.equal(daysUntilExpiration(facts, facts.notAfterMs + 1e9), 0);
});

test("does not let a name with a comma pass for two", async () => {
  const clock = new ManualClock();
  const { issuer } = await createTestAuthority(clock);
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const uri = "https://a.test/x, URI:spiffe://td/ns/a/sa/b";
  const { chain } = await issuer.signKey(publicKey, { uris: [uri] }, 0);
  assert.deepEqual(readCertificateFacts(chain[0]!)[0]!.subjectAltNames, [{ type: "uri", value: uri }]);
});

test("tells of every certificate of a secret", () => {
  const facts = readSecretFacts({ kind: "validation", name: "ROOTCA", rootsPem: first.certificate + second.certificate, sanMatches: [] });
  assert.equal(facts.certificates.length, 2);
});
