// Which certificate leads to which, as the checks see it.
import "reflect-metadata";
import assert from "node:assert/strict";
import { webcrypto, X509Certificate } from "node:crypto";
import { describe, test } from "node:test";
import { X509CertificateGenerator } from "@peculiar/x509";
import { isIssuedBy, leadsTo } from "../../../../src/commands/check/checks/certificates.ts";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
type Keys = webcrypto.CryptoKeyPair;

const newKeys = (): Promise<Keys> => webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);

/** With nothing in it that tells keys apart: names and signature alone say whose it is. */
async function certificate(subject: string, keys: Keys, issuer: string, issuerKeys: Keys): Promise<X509Certificate> {
  const made = await X509CertificateGenerator.create({
    ...{ subject: `CN=${subject}`, issuer: `CN=${issuer}`, publicKey: keys.publicKey, signingKey: issuerKeys.privateKey },
    ...{ signingAlgorithm: ALGORITHM, notBefore: new Date("2026-01-01"), notAfter: new Date("2036-01-01") },
  });
  return new X509Certificate(made.toString("pem"));
}

describe("a certificate", async () => {
  const [rootKeys, middleKeys, leafKeys, otherKeys] = await Promise.all([newKeys(), newKeys(), newKeys(), newKeys()]);
  const root = await certificate("root", rootKeys, "root", rootKeys);
  const middle = await certificate("middle", middleKeys, "root", rootKeys);
  const leaf = await certificate("leaf", leafKeys, "middle", middleKeys);
  /** Of the same name, by somebody else. */
  const impostor = await certificate("root", otherKeys, "root", otherKeys);

  test("is issued by whoever has signed it, not by another of that name", () => {
    assert.equal(isIssuedBy(middle, root), true);
    assert.equal(isIssuedBy(middle, impostor), false);
    assert.equal(isIssuedBy(leaf, root), false);
  });

  test("leads to a root over those behind it in its chain", () => {
    assert.equal(leadsTo([leaf, middle], [root]), true);
    assert.equal(leadsTo([leaf, middle, root], [root]), true);
    assert.equal(leadsTo([leaf, middle], [impostor]), false);
    assert.equal(leadsTo([leaf], [root]), false);
    assert.equal(leadsTo([leaf, root], [root]), false);
    assert.equal(leadsTo([], [root]), false);
  });
});
