// Secrets: certificates are parsed and matched with their keys when they arrive.
import "reflect-metadata";
import assert from "node:assert/strict";
import { join } from "node:path";
import { before, describe, test } from "node:test";
import { fromJson } from "@bufbuild/protobuf";
import type { JsonObject } from "@bufbuild/protobuf";
import { X509CertificateGenerator } from "@peculiar/x509";
import { decodeSecret } from "../../../../src/proxy-runtime/config/decode-secret.ts";
import { SecretSchema } from "../../../../src/xds/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts";
import { selfSigned, withFiles } from "../../../support/openssl.ts";

const decode = (json: JsonObject): ReturnType<typeof decodeSecret> => decodeSecret(fromJson(SecretSchema, { name: "s", ...json }));
const certificate = (chain: JsonObject, key: JsonObject): JsonObject => ({
  tls_certificate: { certificate_chain: chain, private_key: key },
});

async function expiredCertificate(): Promise<{ certificate: string; key: string }> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const [notBefore, notAfter] = [new Date("2020-01-01T00:00:00Z"), new Date("2020-01-02T00:00:00Z")];
  const made = await X509CertificateGenerator.createSelfSigned({ name: "O=old", keys, notBefore, notAfter, signingAlgorithm: algorithm });
  const key = Buffer.from(await crypto.subtle.exportKey("pkcs8", keys.privateKey)).toString("base64");
  return { certificate: made.toString("pem"), key: `-----BEGIN PRIVATE KEY-----\n${key}\n-----END PRIVATE KEY-----\n` };
}

function problems(json: JsonObject): string[] {
  const result = decode(json);
  assert.equal(result.ok, false, "it was accepted");
  return result.ok ? [] : result.problems.map(({ path, message }) => `${path}: ${message}`);
}

describe("secrets", () => {
  let one: ReturnType<typeof selfSigned>;
  let other: ReturnType<typeof selfSigned>;
  before(() => {
    one = selfSigned("URI:spiffe://cluster.local/ns/shop/sa/a");
    other = selfSigned("DNS:b.test");
  });

  test("are read inline, as bytes, from files and from the environment", () => {
    const expected = { kind: "certificate", name: "s", chainPem: one.certificate, keyPem: one.key };
    const inline = decode(certificate({ inline_string: one.certificate }, { inline_bytes: Buffer.from(one.key).toString("base64") }));
    assert.deepEqual(inline.ok && inline.value.value, expected);
    withFiles({ "chain.pem": one.certificate }, (folder) => {
      process.env["MESHCTL_TEST_KEY"] = one.key;
      const read = decode(certificate({ filename: join(folder, "chain.pem") }, { environment_variable: "MESHCTL_TEST_KEY" }));
      delete process.env["MESHCTL_TEST_KEY"];
      assert.deepEqual(read.ok && read.value.value, expected);
    });
  });

  test("refuse a key that belongs to another certificate, and never show it", () => {
    const found = problems(certificate({ inline_string: one.certificate }, { inline_string: other.key }));
    assert.deepEqual(found, [
      "tls_certificate.private_key: does not match the certificate of URI:spiffe://cluster.local/ns/shop/sa/a; both must come from the same issuance",
    ]);
    const broken = problems(certificate({ inline_string: one.certificate }, { inline_string: "SECRET" }));
    assert.deepEqual(broken, ["tls_certificate.private_key: not a PEM private key"]);
  });

  test("refuse what is missing or can't be read", () => {
    assert.deepEqual(problems(certificate({ filename: "/nowhere/chain.pem" }, { environment_variable: "MESHCTL_NOT_SET" })), [
      "tls_certificate.certificate_chain.filename: can't read /nowhere/chain.pem: no such file",
      "tls_certificate.private_key.environment_variable: MESHCTL_NOT_SET is not set",
    ]);
    assert.deepEqual(problems({ tls_certificate: {} }), [
      "tls_certificate.certificate_chain: missing",
      "tls_certificate.private_key: missing",
    ]);
    assert.deepEqual(problems({}), [": needs tls_certificate or validation_context"]);
    assert.match(problems({ validation_context: { trusted_ca: { inline_string: "x" } } })[0]!, /trusted_ca: holds no PEM certificate/);
    assert.deepEqual(problems({ validation_context: { trusted_ca: { inline_string: one.certificate }, crl: { inline_string: "x" } } }), [
      "validation_context.crl: not supported",
    ]);
  });

  test("warn of an expired certificate and take it", async () => {
    const expired = await expiredCertificate();
    const result = decode(certificate({ inline_string: expired.certificate }, { inline_string: expired.key }));
    assert.ok(result.ok);
    assert.match(result.value.warnings[0]!.message, /expired at 2020-01-02/);
  });

  test("carry roots and the names that are accepted", () => {
    const context = {
      trusted_ca: { inline_string: one.certificate },
      match_typed_subject_alt_names: [{ san_type: "URI", matcher: { prefix: "spiffe://cluster.local/" } }],
    };
    const result = decode({ validation_context: context });
    assert.deepEqual(result.ok && result.value.value, {
      kind: "validation",
      name: "s",
      rootsPem: one.certificate,
      sanMatches: [{ type: "uri", match: { kind: "prefix", value: "spiffe://cluster.local/", ignoreCase: false } }],
    });
  });
});
