import assert from "node:assert/strict";
import { generateKeyPairSync, X509Certificate } from "node:crypto";
import { test } from "node:test";
import { createIssuer, IssueError } from "../../../src/ca/authority/issuer.ts";
import { createEphemeralAuthority } from "../../../src/ca/authority/roots.ts";
import { createKeyAndRequest } from "../../../src/ca/client/csr.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { openssl, verifyChain, withFiles } from "../../support/openssl.ts";

const uri = "spiffe://cluster.local/ns/shop/sa/frontend";
const clock = new ManualClock(Math.floor(Date.now() / 1000) * 1000);
const authority = await createEphemeralAuthority("cluster.local", clock.now());
const issuer = createIssuer(authority, { clock });

/** A request made by openssl for any kind of key. */
function foreignRequest(algorithm: string, options: readonly string[], san: string): string {
  const key = openssl(["genpkey", "-algorithm", algorithm, ...options.flatMap((each) => ["-pkeyopt", each])]);
  return withFiles({ "key.pem": key }, (folder) =>
    openssl(["req", "-new", "-key", `${folder}/key.pem`, "-subj", "/CN=admin", "-addext", `subjectAltName=${san}`, "-out", "-"]),
  );
}

async function issueText(csrPem: string, ttlS = 0): Promise<string> {
  const { chain } = await issuer.signRequest(csrPem, { uris: [uri] }, ttlS);
  return openssl(["x509", "-noout", "-text"], chain[0]);
}

test("issues what openssl accepts strictly, for both roles, with the profile of a workload", async () => {
  const { chain } = await issuer.signRequest(createKeyAndRequest(uri).csrPem, { uris: [uri] }, 0);
  assert.equal(chain.length, 2);
  assert.equal(chain[1], authority.rootsPem);
  assert.equal(verifyChain([chain[0]!], chain[1]), "");
  for (const purpose of ["sslserver", "sslclient"]) {
    withFiles({ "leaf.pem": chain[0]!, "root.pem": chain[1] }, (folder) =>
      openssl(["verify", "-purpose", purpose, "-CAfile", `${folder}/root.pem`, `${folder}/leaf.pem`]),
    );
  }
  const text = openssl(["x509", "-noout", "-text"], chain[0]);
  assert.match(text, /Subject: *\n/);
  assert.match(text, /X509v3 Subject Alternative Name: critical\s+URI:spiffe:\/\/cluster\.local\/ns\/shop\/sa\/frontend\n/);
  assert.match(text, /X509v3 Key Usage: critical\s+Digital Signature\n/);
  assert.match(text, /X509v3 Extended Key Usage:\s+TLS Web Server Authentication, TLS Web Client Authentication\n/);
  assert.match(text, /X509v3 Basic Constraints: critical\s+CA:FALSE/);
  assert.match(text, /Signature Algorithm: ecdsa-with-SHA256/);
});

test("is not accepted under another root", async () => {
  const { chain } = await issuer.signRequest(createKeyAndRequest(uri).csrPem, { uris: [uri] }, 0);
  const other = await createEphemeralAuthority("cluster.local", clock.now());
  assert.match(verifyChain([chain[0]!], other.rootsPem), /unable to get local issuer/);
});

test("gives the caller's name whatever names the request asks for", async () => {
  const text = await issueText(
    foreignRequest("EC", ["ec_paramgen_curve:P-256"], "URI:spiffe://cluster.local/ns/kube-system/sa/admin,DNS:evil.test"),
  );
  assert.doesNotMatch(text, /kube-system|evil|CN ?= ?admin/);
  assert.match(text, /URI:spiffe:\/\/cluster\.local\/ns\/shop\/sa\/frontend\n/);
});

test("is valid from two minutes ago for 24 hours, or for as long as asked", async () => {
  for (const [ttlS, lifeS] of [
    [0, 86_400],
    [-5, 86_400],
    [3600, 3600],
    [90 * 86_400, 90 * 86_400],
  ] as const) {
    const { chain, notAfterMs } = await issuer.signRequest(createKeyAndRequest(uri).csrPem, { uris: [uri] }, ttlS);
    const leaf = new X509Certificate(chain[0]!);
    assert.equal(leaf.validFromDate.getTime(), clock.now() - 120_000);
    assert.equal(leaf.validToDate.getTime(), clock.now() + lifeS * 1000);
    assert.equal(notAfterMs, leaf.validToDate.getTime());
  }
});

test("refuses a lifetime over 90 days", async () => {
  await assert.rejects(issuer.signRequest(createKeyAndRequest(uri).csrPem, { uris: [uri] }, 90 * 86_400 + 1), IssueError);
});

test("never outlives its signer, and signs nothing once that expired", async () => {
  const late = new ManualClock(authority.notAfterMs - 60_000);
  const { notAfterMs } = await createIssuer(authority, { clock: late }).signRequest(createKeyAndRequest(uri).csrPem, { uris: [uri] }, 3600);
  assert.equal(notAfterMs, authority.notAfterMs);
  await late.advance(60_000);
  await assert.rejects(
    createIssuer(authority, { clock: late }).signRequest(createKeyAndRequest(uri).csrPem, { uris: [uri] }, 3600),
    /expired/,
  );
});

test("gives every certificate a positive serial number of its own", async () => {
  const { csrPem } = createKeyAndRequest(uri);
  const serials = await Promise.all(
    [1, 2, 3].map(async () => new X509Certificate((await issuer.signRequest(csrPem, { uris: [uri] }, 0)).chain[0]!).serialNumber),
  );
  assert.equal(new Set(serials).size, 3);
  for (const each of serials) assert.match(each, /^[4-7][0-9A-F]{31}$/);
});

for (const [kind, algorithm, options] of [
  ["P-384", "EC", ["ec_paramgen_curve:P-384"]],
  ["RSA 2048", "RSA", ["rsa_keygen_bits:2048"]],
] as const) {
  test(`accepts a ${kind} key`, async () => {
    assert.match(await issueText(foreignRequest(algorithm, options, "DNS:x")), /URI:spiffe/);
  });
}

for (const [kind, algorithm, options] of [
  ["RSA 1024", "RSA", ["rsa_keygen_bits:1024"]],
  ["P-521", "EC", ["ec_paramgen_curve:P-521"]],
  ["P-224", "EC", ["ec_paramgen_curve:P-224"]],
  ["Ed25519", "ED25519", []],
] as const) {
  test(`refuses a ${kind} key`, async () => {
    await assert.rejects(
      issueText(foreignRequest(algorithm, options, "DNS:x")),
      (error: Error) => error instanceof IssueError && /not accepted|can't be read/.test(error.message),
    );
  });
}

test("refuses a request whose signature is not by its key", async () => {
  const { csrPem } = createKeyAndRequest(uri);
  const der = Buffer.from(csrPem.replace(/-----.*?-----|\s/g, ""), "base64");
  const at = der.indexOf("frontend");
  der.write("fr0ntend", at);
  const forged = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString("base64")}\n-----END CERTIFICATE REQUEST-----\n`;
  await assert.rejects(issueText(forged), (error: Error) => error instanceof IssueError && /signature/.test(error.message));
});

for (const [what, text] of [
  ["nothing", ""],
  ["words", "please sign"],
  ["a PEM of something else", authority.rootsPem],
  ["a PEM of rubbish", "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"],
  ["too much", `-----BEGIN CERTIFICATE REQUEST-----\n${"A".repeat(70_000)}`],
] as const) {
  test(`refuses ${what} as a request`, async () => assert.rejects(issueText(text), IssueError));
}

test("signs serving certificates for names and addresses", async () => {
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const { chain } = await issuer.signKey(publicKey, { dnsNames: ["controller.mesh-system.svc"], ips: ["127.0.0.1", "::1"] }, 0);
  const leaf = new X509Certificate(chain[0]!);
  assert.equal(leaf.checkHost("controller.mesh-system.svc"), "controller.mesh-system.svc");
  assert.equal(leaf.checkIP("127.0.0.1"), "127.0.0.1");
  assert.equal(leaf.checkIP("::1"), "::1");
  assert.equal(leaf.checkHost("other.test"), undefined);
});
