import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { before, describe, test } from "node:test";
import { PeerCertificates } from "../../../../src/proxy-runtime/transport/peer-certificates.ts";
import { createIdentities, spiffeId, type TestIdentities } from "../../../support/test-identities.ts";

let identities: TestIdentities;
before(async () => {
  identities = await createIdentities();
});

const certificateOf = async (name: string): Promise<string> => (await identities.issue(name)).cert;

describe("certificates of peers", () => {
  test("are read once, and say what Node says", async () => {
    const peers = new PeerCertificates();
    const pem = await certificateOf("friend");
    const first = peers.of(new X509Certificate(pem));
    assert.equal(first.identity.uri, spiffeId("friend"));
    assert.deepEqual(first.names.uris, [spiffeId("friend")]);
    assert.equal(first.identity.hash, new X509Certificate(pem).fingerprint256.replaceAll(":", "").toLowerCase());
    assert.equal(peers.of(new X509Certificate(pem)), first);
  });

  test("of one name and another key are told apart, and of another name all the more", async () => {
    const peers = new PeerCertificates();
    const [one, other, renewed] = await Promise.all(["one", "other", "one"].map(certificateOf));
    const known = [one, other, renewed].map((pem) => peers.of(new X509Certificate(pem!)).identity);
    assert.deepEqual(
      known.map(({ uri }) => uri),
      [spiffeId("one"), spiffeId("other"), spiffeId("one")],
    );
    assert.equal(new Set(known.map(({ hash }) => hash)).size, 3);
  });

  test("are forgotten, not piled up, when there are many", async () => {
    const peers = new PeerCertificates();
    const first = new X509Certificate(await certificateOf("first"));
    const remembered = peers.of(first);
    for (let index = 0; index < 256; index += 1) {
      const fingerprint256 = `${index}`;
      peers.of({ fingerprint256, subject: "", subjectAltName: "" } as X509Certificate);
    }
    assert.notEqual(peers.of(first), remembered);
    assert.deepEqual(peers.of(first), remembered);
  });
});
