import assert from "node:assert/strict";
import { test } from "node:test";
import { createIssuer } from "../../../src/ca/authority/issuer.ts";
import { createEphemeralAuthority } from "../../../src/ca/authority/roots.ts";
import { createKeyAndRequest } from "../../../src/ca/client/csr.ts";
import { mergeBundles, splitCertificates, toIssuedChain } from "../../../src/ca/client/trust-bundle.ts";
import { systemClock } from "../../../src/common/clock.ts";
import { selfSigned } from "../../support/openssl.ts";

const [a, b] = [selfSigned("DNS:a.test").certificate, selfSigned("DNS:b.test").certificate];
const uri = "spiffe://cluster.local/ns/shop/sa/frontend";

test("cuts bundles apart, whatever stands between the certificates", () => {
  assert.deepEqual(splitCertificates(`# first\n${a}\n\nsecond:\r\n${b}`), [a, b]);
  assert.deepEqual(splitCertificates("nothing"), []);
});

test("joins bundles with each certificate once, however it is wrapped", () => {
  const rewrapped = a.replace(/\n(?!-)/g, "").replace("-----BEGIN CERTIFICATE-----", "$&\n");
  assert.equal(mergeBundles(a + b, rewrapped, "", b), a + b);
});

test("throws where a certificate can't be read", () => {
  assert.throws(() => mergeBundles("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"));
  assert.throws(() => toIssuedChain([]), /no certificate/);
});

test("orders a CA's answer, also when one element holds the chain and its root again", async () => {
  const authority = await createEphemeralAuthority("cluster.local", Date.now());
  const { chain } = await createIssuer(authority, { clock: systemClock }).signRequest(createKeyAndRequest(uri).csrPem, { uris: [uri] }, 0);
  const [leaf, root] = [chain[0]!, chain[1]!];
  for (const answer of [[leaf, root], [leaf, root + root, root], [leaf + root]]) {
    const issued = toIssuedChain(answer);
    assert.equal(issued.chainPem, leaf);
    assert.equal(issued.rootsPem, root);
    assert.equal(issued.leaf.subjectAltName, `URI:${uri}`);
  }
});
