import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { createIssuer } from "../../../src/ca/authority/issuer.ts";
import { loadOrCreateAuthority } from "../../../src/ca/authority/roots.ts";
import { createKeyAndRequest } from "../../../src/ca/client/csr.ts";
import { systemClock } from "../../../src/common/clock.ts";
import { UserError } from "../../../src/common/user-error.ts";
import { openssl, selfSigned, verifyChain } from "../../support/openssl.ts";

const uri = "spiffe://cluster.local/ns/shop/sa/frontend";
const load = (folder: string, nowMs = Date.now()) => loadOrCreateAuthority(folder, "cluster.local", nowMs);

function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "meshctl-test-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function isUserError(message: RegExp) {
  return (error: unknown): boolean => {
    assert.ok(error instanceof UserError, String(error));
    assert.match(error.message, message);
    return true;
  };
}

/** A root and a plugged-in intermediate, made by openssl, in Istio's layout. */
function plugIn(folder: string, options: { isCa?: boolean; key?: readonly string[] } = {}): void {
  const at = (name: string): string => join(folder, name);
  const newKey = options.key ?? ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
  openssl([
    "req",
    "-x509",
    ...newKey,
    "-nodes",
    "-days",
    "10",
    "-subj",
    "/O=corp/CN=root",
    "-addext",
    "keyUsage=critical,keyCertSign,cRLSign",
    "-keyout",
    at("root-key.pem"),
    "-out",
    at("root-cert.pem"),
  ]);
  openssl(["req", "-new", ...newKey, "-nodes", "-subj", "/O=corp/CN=mesh", "-keyout", at("ca-key.pem"), "-out", at("ca.csr")]);
  writeFileSync(
    at("ext"),
    `basicConstraints=critical,CA:${options.isCa === false ? "FALSE" : "TRUE"}\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\nkeyUsage=critical,keyCertSign,cRLSign\n`,
  );
  openssl([
    "x509",
    "-req",
    "-in",
    at("ca.csr"),
    "-CA",
    at("root-cert.pem"),
    "-CAkey",
    at("root-key.pem"),
    "-CAcreateserial",
    "-days",
    "5",
    "-extfile",
    at("ext"),
    "-out",
    at("ca-cert.pem"),
  ]);
  writeFileSync(at("cert-chain.pem"), readFileSync(at("ca-cert.pem"), "utf8") + readFileSync(at("root-cert.pem"), "utf8"));
  for (const name of readdirSync(folder))
    if (!/^(ca|root)-(cert|key)\.pem$|^cert-chain/.test(name) || name === "root-key.pem") rmSync(at(name));
}

test("makes a root of ten years in an empty folder, keeps its key private, and finds it again", async (t) => {
  const folder = join(temporaryFolder(t), "deep", "cacerts");
  const made = await load(folder);
  assert.deepEqual(readdirSync(folder).sort(), ["ca-cert.pem", "ca-key.pem", "cert-chain.pem", "root-cert.pem"]);
  assert.equal(statSync(join(folder, "ca-key.pem")).mode & 0o777, 0o600);
  assert.equal((await load(folder)).rootPem, made.rootPem);
  const years = (made.notAfterMs - Date.now()) / (365 * 86_400_000);
  assert.ok(years > 9.99 && years < 10.01, `${years}`);
  const text = openssl(["x509", "-noout", "-text"], made.rootPem);
  assert.match(text, /CA:TRUE/);
  assert.match(text, /Certificate Sign, CRL Sign/);
  assert.match(text, /NIST CURVE: P-256/);
  assert.equal(verifyChain([made.rootPem], made.rootPem), "");
});

for (const [kind, key] of [
  ["P-256", ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]],
  ["P-384", ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"]],
  ["RSA", ["-newkey", "rsa:2048"]],
] as const) {
  test(`signs with a plugged-in ${kind} intermediate, and sends it with the leaf`, async (t) => {
    const folder = temporaryFolder(t);
    plugIn(folder, { key });
    const authority = await load(folder);
    const { chain } = await createIssuer(authority, { clock: systemClock }).signRequest(
      createKeyAndRequest(uri).csrPem,
      { uris: [uri] },
      0,
    );
    assert.equal(chain.length, 3);
    assert.equal(chain[2], readFileSync(join(folder, "root-cert.pem"), "utf8"));
    assert.equal(verifyChain(chain.slice(0, 2), chain[2]), "");
    assert.notEqual(verifyChain(chain.slice(0, 1), chain[2]), "");
  });
}

test("reads cert-manager's names too", async (t) => {
  const folder = temporaryFolder(t);
  plugIn(folder);
  const other = temporaryFolder(t);
  for (const [from, to] of [
    ["cert-chain.pem", "tls.crt"],
    ["ca-key.pem", "tls.key"],
    ["root-cert.pem", "ca.crt"],
  ] as const) {
    writeFileSync(join(other, to), readFileSync(join(folder, from)));
  }
  assert.equal((await load(other)).intermediatesPem.length, 1);
});

test("trusts every root of the file and puts its own last in a chain", async (t) => {
  const folder = temporaryFolder(t);
  plugIn(folder);
  const root = readFileSync(join(folder, "root-cert.pem"), "utf8");
  writeFileSync(join(folder, "root-cert.pem"), selfSigned("DNS:next-root.test").certificate + root);
  const authority = await load(folder);
  assert.equal(authority.rootPem, root);
  assert.equal(authority.rootsPem.match(/BEGIN/g)?.length, 2);
});

const broken: readonly [string, (folder: string) => void, RegExp][] = [
  [
    "a key of another certificate",
    (f) => writeFileSync(join(f, "ca-key.pem"), selfSigned("DNS:x").key),
    /ca-key\.pem is not the private key of .*ca-cert\.pem/,
  ],
  ["a missing key", (f) => rmSync(join(f, "ca-key.pem")), /can't read .*ca-key\.pem: no such file/],
  ["a missing root", (f) => rmSync(join(f, "root-cert.pem")), /can't read .*root-cert\.pem: no such file/],
  ["rubbish for a certificate", (f) => writeFileSync(join(f, "ca-cert.pem"), "rubbish"), /ca-cert\.pem holds no readable PEM certificate/],
  ["rubbish for a key", (f) => writeFileSync(join(f, "ca-key.pem"), "rubbish"), /ca-key\.pem holds no readable private key/],
  [
    "a folder for a file",
    (f) => (rmSync(join(f, "ca-key.pem")), mkdirSync(join(f, "ca-key.pem"))),
    /can't read .*ca-key\.pem: it is a folder/,
  ],
  [
    "a root that did not issue it",
    (f) => writeFileSync(join(f, "root-cert.pem"), selfSigned("DNS:x").certificate),
    /no path leads from .*ca-cert\.pem to a root of/,
  ],
];
for (const [what, damage, message] of broken) {
  test(`refuses ${what}, and changes nothing`, async (t) => {
    const folder = temporaryFolder(t);
    plugIn(folder);
    damage(folder);
    const before = readdirSync(folder);
    await assert.rejects(load(folder), isUserError(message));
    assert.deepEqual(readdirSync(folder), before);
  });
}

test("refuses a certificate that may not sign", async (t) => {
  const folder = temporaryFolder(t);
  plugIn(folder, { isCa: false });
  await assert.rejects(load(folder), isUserError(/may not sign/));
});

test("refuses certificates that are expired or not valid yet", async (t) => {
  const folder = temporaryFolder(t);
  plugIn(folder);
  await assert.rejects(load(folder, Date.now() + 6 * 86_400_000), isUserError(/"O=corp, CN=mesh" in .*ca-cert\.pem expired at \d{4}/));
  await assert.rejects(load(folder, Date.now() - 86_400_000), isUserError(/not valid before/));
});

test("refuses an own key that is too weak", async (t) => {
  const folder = temporaryFolder(t);
  plugIn(folder, { key: ["-newkey", "rsa:1024"] });
  await assert.rejects(load(folder), isUserError(/1024 bits/));
});

test("names a folder that can't be written and leaves nothing in it", async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, "file"), "");
  await assert.rejects(load(join(folder, "file")), isUserError(/can't keep the CA's root in/));
  assert.deepEqual(readdirSync(folder), ["file"]);
});
