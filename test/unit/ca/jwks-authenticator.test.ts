import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { SignJWT, UnsecuredJWT } from "jose";
import { bearerToken } from "../../../src/ca/authority/authenticator.ts";
import { createJwksAuthenticator } from "../../../src/ca/authority/jwks-authenticator.ts";
import { createTokenSigner, LOCAL_TOKEN_ISSUER } from "../../../src/ca/client/service-account-token.ts";
import { UserError } from "../../../src/common/user-error.ts";

const signer = await createTokenSigner();
const pod = { name: "frontend-1", uid: "4711" };
const subject = { namespace: "shop", serviceAccount: "frontend", pod };

function keysFile(t: TestContext, text: string = JSON.stringify(signer.jwks)): string {
  const folder = mkdtempSync(join(tmpdir(), "meshctl-test-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, "keys.json"), text);
  return join(folder, "keys.json");
}

test("takes the identity from a token that it can check", async (t) => {
  const authenticate = createJwksAuthenticator({ file: keysFile(t), issuer: LOCAL_TOKEN_ISSUER });
  assert.deepEqual(await authenticate(await signer.sign(subject, { ttlS: 60 })), {
    ok: true,
    identity: { namespace: "shop", serviceAccount: "frontend", pod },
  });
  const withoutPod = await signer.sign({ namespace: "shop", serviceAccount: "frontend" }, { ttlS: 60 });
  assert.deepEqual(await authenticate(withoutPod), { ok: true, identity: { namespace: "shop", serviceAccount: "frontend" } });
});

const foreign = await createTokenSigner();
const elsewhere = await createTokenSigner("https://elsewhere.test");
const refused: readonly [string, () => Promise<string>, RegExp][] = [
  ["a token for another audience", () => signer.sign(subject, { ttlS: 60, audience: "istio-ca" }), /"aud"/],
  ["an expired token", () => signer.sign(subject, { ttlS: 60, nowMs: Date.now() - 120_000 }), /"exp"/],
  ["a token from the future", () => signer.sign(subject, { ttlS: 600, nowMs: Date.now() + 300_000 }), /"nbf"/],
  ["a token by a foreign key", () => foreign.sign(subject, { ttlS: 60 }), /no applicable key/],
  ["a token that is changed", async () => (await signer.sign(subject, { ttlS: 60 })).replace(/\.([^.]{4})/, ".AAAA"), /./],
  [
    "an unsigned token",
    async () =>
      new UnsecuredJWT({ sub: "system:serviceaccount:shop:frontend" })
        .setAudience("meshctl-ca")
        .setIssuer(LOCAL_TOKEN_ISSUER)
        .setExpirationTime("1m")
        .encode(),
    /./,
  ],
  ["words", async () => "not.a.token", /./],
];
for (const [what, makeToken, reason] of refused) {
  test(`refuses ${what} and says why`, async (t) => {
    const token = await makeToken();
    const answer = await createJwksAuthenticator({ file: keysFile(t), issuer: LOCAL_TOKEN_ISSUER })(token);
    assert.ok(!answer.ok);
    assert.match(answer.reason, /^token refused: /);
    assert.match(answer.reason, reason);
    assert.ok(!answer.reason.includes(token));
  });
}

test("refuses a token of another issuer, though its key is known", async (t) => {
  const file = keysFile(t, JSON.stringify({ keys: [...signer.jwks.keys, ...elsewhere.jwks.keys] }));
  const answer = await createJwksAuthenticator({ file, issuer: LOCAL_TOKEN_ISSUER })(await elsewhere.sign(subject, { ttlS: 60 }));
  assert.match(answer.ok ? "" : answer.reason, /"iss"/);
});

test("refuses a shared secret in the place of a public key", async (t) => {
  const secret = Buffer.alloc(32, 1);
  const file = keysFile(t, JSON.stringify({ keys: [{ kty: "oct", k: secret.toString("base64url"), alg: "HS256" }] }));
  const token = await new SignJWT({ sub: "system:serviceaccount:shop:frontend" })
    .setProtectedHeader({ alg: "HS256" })
    .setAudience("meshctl-ca")
    .setIssuer(LOCAL_TOKEN_ISSUER)
    .setExpirationTime("1m")
    .sign(secret);
  assert.equal((await createJwksAuthenticator({ file, issuer: LOCAL_TOKEN_ISSUER })(token)).ok, false);
});

test("uses new keys once the file has them, and keeps the old ones while it is broken", async (t) => {
  const file = keysFile(t);
  const problems: string[] = [];
  const authenticate = createJwksAuthenticator({ file, issuer: LOCAL_TOKEN_ISSUER, onProblem: (each) => problems.push(each) });
  writeFileSync(file, "{ broken");
  assert.equal((await authenticate(await signer.sign(subject, { ttlS: 60 }))).ok, true);
  assert.equal((await authenticate(await signer.sign(subject, { ttlS: 60 }))).ok, true);
  assert.equal(problems.length, 1);
  assert.match(problems[0]!, /holds no JSON Web Key Set; the keys read before stay in force/);
  writeFileSync(file, JSON.stringify(foreign.jwks));
  assert.equal((await authenticate(await foreign.sign(subject, { ttlS: 60 }))).ok, true);
  assert.equal((await authenticate(await signer.sign(subject, { ttlS: 60 }))).ok, false);
});

test("names the file that can't be used at the start", (t) => {
  const broken = keysFile(t, "[]");
  assert.throws(
    () => createJwksAuthenticator({ file: broken, issuer: "x" }),
    (error: unknown) => error instanceof UserError && error.message.includes(broken),
  );
  assert.throws(
    () => createJwksAuthenticator({ file: `${broken}.not`, issuer: "x" }),
    (error: unknown) => error instanceof UserError && /no such file/.test(error.message),
  );
});

test("finds the token of a bearer header only", () => {
  assert.equal(bearerToken("Bearer a.b-c_d"), "a.b-c_d");
  assert.equal(bearerToken("bearer  abc"), "abc");
  for (const each of [undefined, "", "Basic abc", "Bearer", "Bearer ", "Bearer a b"]) assert.equal(bearerToken(each), undefined);
});
