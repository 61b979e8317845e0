// Which keys the CA accepts, its own and those of requests, and how each kind signs.
import type { KeyObject } from "node:crypto";

export type SigningAlgorithm =
  | { readonly name: "ECDSA"; readonly namedCurve: "P-256" | "P-384"; readonly hash: "SHA-256" | "SHA-384" }
  | { readonly name: "RSASSA-PKCS1-v1_5"; readonly hash: "SHA-256" };

const MIN_RSA_BITS = 2048;
// Checking a signature made with a larger key costs the CA more than asking for it costs the asker.
const MAX_RSA_BITS = 8192;

/** What is wrong with a public key; undefined when it is P-256, P-384 or RSA of a sensible size. */
export function findKeyProblem(key: KeyObject): string | undefined {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (type === "ec") {
    const curve = details?.namedCurve;
    return curve === "prime256v1" || curve === "secp384r1" ? undefined : `keys on curve ${curve} are not accepted`;
  }
  if (type === "rsa") {
    const bits = details?.modulusLength ?? 0;
    return bits >= MIN_RSA_BITS && bits <= MAX_RSA_BITS ? undefined : `RSA keys of ${bits} bits are not accepted`;
  }
  return `keys of type ${type} are not accepted`;
}

/** For a key that findKeyProblem has passed. */
export function signingAlgorithmOf(key: KeyObject): SigningAlgorithm {
  if (key.asymmetricKeyType === "rsa") return { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" };
  return key.asymmetricKeyDetails?.namedCurve === "secp384r1"
    ? { name: "ECDSA", namedCurve: "P-384", hash: "SHA-384" }
    : { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
}
