import "reflect-metadata";
import assert from "node:assert/strict";
import { createPrivateKey, createPublicKey } from "node:crypto";
import { test } from "node:test";
import * as x509 from "@peculiar/x509";
import { createKeyAndRequest } from "../../../src/ca/client/csr.ts";
import { openssl } from "../../support/openssl.ts";

const uri = "spiffe://cluster.local/ns/shop/sa/frontend";

test("makes a request that openssl verifies, with the URI as its only and critical name", () => {
  const text = openssl(["req", "-verify", "-noout", "-text"], createKeyAndRequest(uri).csrPem);
  assert.match(text, /Public-Key: \(256 bit\)/);
  assert.match(text, /NIST CURVE: P-256/);
  assert.match(text, /Subject Alternative Name: critical\s+URI:spiffe:\/\/cluster\.local\/ns\/shop\/sa\/frontend\n/);
  assert.match(text, /Subject: *\n/);
  assert.throws(() => openssl(["req", "-verify", "-noout"], "not a request"));
});

test("makes a request that @peculiar/x509 verifies", async () => {
  const request = new x509.Pkcs10CertificateRequest(createKeyAndRequest(uri).csrPem);
  assert.equal(await request.verify(), true);
});

test("makes the private key of the request's public key, and a new one each time", () => {
  const { keyPem, csrPem } = createKeyAndRequest(uri);
  const own = createPublicKey(createPrivateKey(keyPem)).export({ type: "spki", format: "pem" });
  assert.equal(openssl(["req", "-pubkey", "-noout"], csrPem), own);
  assert.notEqual(createKeyAndRequest(uri).keyPem, keyPem);
});

for (const length of [60, 100, 120, 127, 128, 250, 300, 2000]) {
  test(`encodes lengths right for a name of ${length} characters`, () => {
    const long = `spiffe://td/${"x".repeat(length - 12)}`;
    assert.ok(openssl(["req", "-verify", "-noout", "-text"], createKeyAndRequest(long).csrPem).includes(`URI:${long}\n`));
  });
}
