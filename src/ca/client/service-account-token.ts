// Mints service account tokens of Kubernetes' shape with a key of our own, for the mesh on one machine: the local
// mesh signs, the controller checks with the public half (a JWKS file). The sidecar only carries such a token, and
// never loads this file.
import { exportJWK, generateKeyPair, SignJWT, calculateJwkThumbprint } from "jose";
import type { CryptoKey, JSONWebKeySet } from "jose";
import { TOKEN_AUDIENCE } from "../../xds/names.ts";

/** `iss` of the local mesh's tokens. */
export const LOCAL_TOKEN_ISSUER = "https://local.meshctl.io";

const ALGORITHM = "ES256";

export interface TokenSubject {
  readonly namespace: string;
  readonly serviceAccount: string;
  /** The pod that the token is bound to. */
  readonly pod?: { readonly name: string; readonly uid: string };
}

export interface TokenSigner {
  /** Public keys, to be written to the file that the controller reads. */
  readonly jwks: JSONWebKeySet;
  /**
   * @param ttlS lifetime in seconds from `nowMs`.
   * @param nowMs wall clock, ms; default: now.
   */
  sign(subject: TokenSubject, options: { ttlS: number; nowMs?: number; audience?: string }): Promise<string>;
}

/** Makes a new key pair. The private half is never written anywhere. */
export async function createTokenSigner(issuer: string = LOCAL_TOKEN_ISSUER): Promise<TokenSigner> {
  const { publicKey, privateKey } = await generateKeyPair(ALGORITHM);
  const jwk = await exportJWK(publicKey);
  const kid = await calculateJwkThumbprint(jwk);
  return {
    jwks: { keys: [{ ...jwk, kid, alg: ALGORITHM, use: "sig" }] },
    sign: (subject, options) => signToken(privateKey, kid, issuer, subject, options),
  };
}

function signToken(
  key: CryptoKey,
  kid: string,
  issuer: string,
  { namespace, serviceAccount, pod }: TokenSubject,
  { ttlS, nowMs = Date.now(), audience = TOKEN_AUDIENCE }: { ttlS: number; nowMs?: number; audience?: string },
): Promise<string> {
  const issuedAtS = Math.floor(nowMs / 1000);
  return new SignJWT({ "kubernetes.io": { namespace, serviceaccount: { name: serviceAccount }, ...(pod === undefined ? {} : { pod }) } })
    .setProtectedHeader({ alg: ALGORITHM, kid })
    .setIssuer(issuer)
    .setSubject(`system:serviceaccount:${namespace}:${serviceAccount}`)
    .setAudience([audience])
    .setIssuedAt(issuedAtS)
    .setNotBefore(issuedAtS)
    .setExpirationTime(issuedAtS + ttlS)
    .sign(key);
}
