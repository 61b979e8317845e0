// The parts of a CA by the names that people know: Istio's "cacerts", or what cert-manager writes. They may be files of a
// folder, or keys of a Secret.
import { createRootCertificate } from "./root-certificate.ts";
import { toSigningAuthority } from "./signing-authority.ts";
import type { NamedPem, SigningAuthority } from "./signing-authority.ts";

export interface AuthorityLayout {
  readonly certificate: string;
  readonly key: string;
  readonly roots: string;
  /** undefined: the intermediates follow the signer in its own part. */
  readonly chain: string | undefined;
}

const ISTIO: AuthorityLayout = { certificate: "ca-cert.pem", key: "ca-key.pem", roots: "root-cert.pem", chain: "cert-chain.pem" };
const CERT_MANAGER: AuthorityLayout = { certificate: "tls.crt", key: "tls.key", roots: "ca.crt", chain: undefined };

/** Of which layout there is any part; undefined: there is none at all. */
export function findLayout(has: (name: string) => boolean): AuthorityLayout | undefined {
  return [ISTIO, CERT_MANAGER].find((each) => Object.values(each).some((name: string | undefined) => name !== undefined && has(name)));
}

/** A new root, in Istio's layout. The key is under `ca-key.pem`. */
export async function newAuthorityParts(trustDomain: string, nowMs: number): Promise<Readonly<Record<string, string>>> {
  const { certificatePem, keyPem } = await createRootCertificate(trustDomain, nowMs);
  // The key first: what is written in this order is never a certificate without one.
  return { [ISTIO.key]: keyPem, "cert-chain.pem": certificatePem, [ISTIO.roots]: certificatePem, [ISTIO.certificate]: certificatePem };
}

/**
 * @param read throws UserError for a part that isn't there.
 * @throws UserError when the parts are missing, expired or don't belong together.
 */
export function authorityOf(
  layout: AuthorityLayout,
  has: (name: string) => boolean,
  read: (name: string) => NamedPem,
  nowMs: number,
): SigningAuthority {
  const certificate = read(layout.certificate);
  const chain = layout.chain !== undefined && has(layout.chain) ? read(layout.chain) : certificate;
  return toSigningAuthority({ certificate, key: read(layout.key), chain, roots: read(layout.roots) }, nowMs);
}
