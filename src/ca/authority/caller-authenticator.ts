// Who calls the secure port: by the token that a call shows, or by the certificate of its connection, which TLS has
// verified against the mesh's roots by then.
import { X509Certificate } from "node:crypto";
import { parseSpiffeId } from "../client/spiffe-id.ts";
import type { Authentication, Authenticator } from "./authenticator.ts";

export interface Credentials {
  readonly token: string | undefined;
  /** DER, verified when the connection began; undefined: the connection has none. */
  readonly certificate: Uint8Array | undefined;
}

/** Rejects only when the question could not be asked. */
export type CallerAuthenticator = (credentials: Credentials) => Promise<Authentication>;

/**
 * A token decides where there is one, because it also tells the pod. A certificate of ours is as good while nobody can be
 * asked about tokens.
 */
export function createCallerAuthenticator(
  authenticateToken: Authenticator,
  trustDomain: string,
  now: () => number = Date.now,
): CallerAuthenticator {
  return async ({ token, certificate }) => {
    const byCertificate =
      certificate === undefined ? undefined : authenticateCertificate(new X509Certificate(certificate), trustDomain, now());
    if (token === undefined)
      return byCertificate ?? { ok: false, reason: "no bearer token in the call's metadata, and no client certificate of this mesh" };
    try {
      return await authenticateToken(token);
    } catch (error) {
      if (byCertificate?.ok === true) return byCertificate;
      throw error;
    }
  };
}

function authenticateCertificate(certificate: X509Certificate, trustDomain: string, nowMs: number): Authentication {
  // TLS looks only once, and connections last.
  if (certificate.validToDate.getTime() <= nowMs) return { ok: false, reason: "certificate refused: it has expired" };
  const names = (certificate.subjectAltName ?? "").split(", ");
  const ids = names.filter((each) => each.startsWith("URI:")).map((each) => parseSpiffeId(each.slice("URI:".length)));
  const [id] = ids;
  // SPIFFE X.509-SVID §2: exactly one URI.
  if (ids.length !== 1 || id === undefined) return { ok: false, reason: "certificate refused: it is of no workload" };
  if (id.trustDomain !== trustDomain)
    return { ok: false, reason: `certificate refused: it is of the trust domain ${id.trustDomain}, not ${trustDomain}` };
  return { ok: true, identity: { namespace: id.namespace, serviceAccount: id.serviceAccount } };
}
