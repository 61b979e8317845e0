// Who calls, by token and by certificate.
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { describe, test } from "node:test";
import type { Authenticator } from "../../../src/ca/authority/authenticator.ts";
import { createCallerAuthenticator } from "../../../src/ca/authority/caller-authenticator.ts";
import { createKeyAndRequest } from "../../../src/ca/client/csr.ts";
import { systemClock } from "../../../src/common/clock.ts";
import { createTestAuthority } from "../../support/test-authority.ts";

const WEB = { namespace: "shop", serviceAccount: "web" };
const OF_TOKEN = { namespace: "shop", serviceAccount: "token" };
const accepting: Authenticator = () => Promise.resolve({ ok: true, identity: OF_TOKEN });
const refusing: Authenticator = () => Promise.resolve({ ok: false, reason: "token refused" });
const away: Authenticator = () => Promise.reject(new Error("the API server is away"));

const authority = await createTestAuthority(systemClock);
async function certificateOf(...uris: readonly string[]): Promise<Uint8Array> {
  const { chain } = await authority.issuer.signRequest(createKeyAndRequest("spiffe://x/ns/x/sa/x").csrPem, { uris }, 600);
  return new X509Certificate(chain[0]!).raw;
}
const certificate = await certificateOf("spiffe://cluster.local/ns/shop/sa/web");

describe("a caller", () => {
  test("is known by its certificate where it shows no token", async () => {
    const authenticate = createCallerAuthenticator(away, "cluster.local");
    assert.deepEqual(await authenticate({ token: undefined, certificate }), { ok: true, identity: WEB });
  });

  test("is known by its token where it shows both, and refused when that is refused", async () => {
    const both = { token: "t", certificate };
    assert.deepEqual(await createCallerAuthenticator(accepting, "cluster.local")(both), { ok: true, identity: OF_TOKEN });
    assert.deepEqual(await createCallerAuthenticator(refusing, "cluster.local")(both), { ok: false, reason: "token refused" });
  });

  test("is known by its certificate while nobody can be asked about its token, and else can't be judged", async () => {
    const authenticate = createCallerAuthenticator(away, "cluster.local");
    assert.deepEqual(await authenticate({ token: "t", certificate }), { ok: true, identity: WEB });
    await assert.rejects(authenticate({ token: "t", certificate: undefined }), /the API server is away/);
  });

  test("that shows nothing is refused", async () => {
    const answer = await createCallerAuthenticator(accepting, "cluster.local")({ token: undefined, certificate: undefined });
    assert.match(answer.ok ? "" : answer.reason, /^no bearer token .* and no client certificate of this mesh$/);
  });

  for (const [what, uris, reason] of [
    [
      "of another trust domain",
      ["spiffe://other/ns/shop/sa/web"],
      "certificate refused: it is of the trust domain other, not cluster.local",
    ],
    ["of no workload", ["https://example.org/x"], "certificate refused: it is of no workload"],
    [
      "of two workloads",
      ["spiffe://cluster.local/ns/a/sa/a", "spiffe://cluster.local/ns/b/sa/b"],
      "certificate refused: it is of no workload",
    ],
  ] as const) {
    test(`with a certificate ${what} is refused`, async () => {
      const authenticate = createCallerAuthenticator(away, "cluster.local");
      assert.deepEqual(await authenticate({ token: undefined, certificate: await certificateOf(...uris) }), { ok: false, reason });
    });
  }

  test("whose certificate has expired since it connected is refused", async () => {
    const authenticate = createCallerAuthenticator(away, "cluster.local", () => Date.now() + 3_600_000);
    assert.deepEqual(await authenticate({ token: undefined, certificate }), { ok: false, reason: "certificate refused: it has expired" });
  });
});
