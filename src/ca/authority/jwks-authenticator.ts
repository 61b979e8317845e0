// Checks service account tokens against public keys in a file (`meshctl controller --token-issuer-keys FILE`).
import { readFileSync, statSync } from "node:fs";
import { createLocalJWKSet, errors, jwtVerify } from "jose";
import type { JSONWebKeySet, JWTPayload, JWTVerifyGetKey } from "jose";
import { describeFileError } from "../../common/file-error.ts";
import { UserError } from "../../common/user-error.ts";
import { TOKEN_AUDIENCE } from "../../xds/names.ts";
import type { Authentication, Authenticator } from "./authenticator.ts";

export interface JwksAuthenticatorOptions {
  /** JWKS file; read again when it changes. */
  readonly file: string;
  readonly issuer: string;
  readonly audience?: string;
  /** Wall clock, ms. */
  readonly now?: () => number;
  /** The file changed and can't be used; the keys read before stay in force. */
  readonly onProblem?: (message: string) => void;
}

// Never a shared secret: who can check a token must not be able to make one.
const ALGORITHMS = ["ES256", "ES384", "RS256", "RS384", "RS512", "PS256", "EdDSA"];

/** @throws UserError when the file can't be used at the start. */
export function createJwksAuthenticator(options: JwksAuthenticatorOptions): Authenticator {
  const { file, issuer, audience = TOKEN_AUDIENCE, now = Date.now, onProblem = () => {} } = options;
  let stamp = fileStamp(file);
  let keys = readKeys(file);

  function refresh(): void {
    const latest = fileStamp(file);
    if (latest === stamp) return;
    stamp = latest;
    try {
      keys = readKeys(file);
    } catch (error) {
      onProblem(`${(error as Error).message}; the keys read before stay in force`);
    }
  }

  return async (token) => {
    refresh();
    try {
      const { payload } = await jwtVerify(token, keys, {
        issuer,
        audience,
        algorithms: ALGORITHMS,
        currentDate: new Date(now()),
        requiredClaims: ["exp", "sub"],
      });
      return toIdentity(payload);
    } catch (error) {
      if (error instanceof errors.JOSEError) return { ok: false, reason: `token refused: ${error.message}` };
      throw error;
    }
  };
}

/** `sub` decides; Kubernetes' own claim must not contradict it, and adds the pod. */
function toIdentity(payload: JWTPayload): Authentication {
  const subject = /^system:serviceaccount:([a-z0-9.-]+):([a-z0-9.-]+)$/.exec(payload.sub ?? "");
  if (subject === null) return { ok: false, reason: "token refused: its subject is no service account" };
  const [namespace, serviceAccount] = [subject[1]!, subject[2]!];
  const claim = asObject(payload["kubernetes.io"]);
  const claimedNamespace = claim["namespace"] ?? namespace;
  const claimedAccount = asObject(claim["serviceaccount"])["name"] ?? serviceAccount;
  if (claimedNamespace !== namespace || claimedAccount !== serviceAccount) {
    return { ok: false, reason: "token refused: its subject and its kubernetes.io claim disagree" };
  }
  const { name, uid } = asObject(claim["pod"]);
  const pod = typeof name === "string" && typeof uid === "string" ? { name, uid } : undefined;
  return { ok: true, identity: { namespace, serviceAccount, ...(pod === undefined ? {} : { pod }) } };
}

function asObject(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function fileStamp(file: string): string {
  const { mtimeMs, size, ino } = statSync(file, { throwIfNoEntry: false }) ?? { mtimeMs: 0, size: 0, ino: 0 };
  return `${ino} ${size} ${mtimeMs}`;
}

function readKeys(file: string): JWTVerifyGetKey {
  const hint = 'it must hold a JSON Web Key Set: {"keys": [...]}';
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new UserError(`can't read the token issuer's keys from ${file}: ${describeFileError(error)}`, hint);
  }
  let keys: JSONWebKeySet;
  let findKey: JWTVerifyGetKey;
  try {
    keys = JSON.parse(text) as JSONWebKeySet;
    findKey = createLocalJWKSet(keys);
  } catch {
    throw new UserError(`${file} holds no JSON Web Key Set`, hint);
  }
  if (keys.keys.length === 0) throw new UserError(`${file} holds no key, so that no token could ever be believed`, hint);
  return findKey;
}
