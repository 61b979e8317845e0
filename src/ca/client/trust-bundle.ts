// Lists of PEM certificates: cutting them apart, joining roots from several sources, and ordering an issued chain.
import { X509Certificate } from "node:crypto";

const BLOCK = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;

/** The single certificates of a PEM text, in order, each with a final newline; text around them is dropped. */
export function splitCertificates(pem: string): string[] {
  return (pem.match(BLOCK) ?? []).map((each) => `${each}\n`);
}

/** Joins bundles into one, each certificate once (compared by their DER), in order of first appearance. */
export function mergeBundles(...bundles: readonly string[]): string {
  const byFingerprint = new Map<string, string>();
  for (const pem of bundles.flatMap(splitCertificates)) {
    const { fingerprint256 } = new X509Certificate(pem);
    if (!byFingerprint.has(fingerprint256)) byFingerprint.set(fingerprint256, pem);
  }
  return [...byFingerprint.values()].join("");
}

export function isSelfSigned(certificate: X509Certificate): boolean {
  return certificate.checkIssued(certificate) && certificate.verify(certificate.publicKey);
}

export interface IssuedChain {
  readonly leaf: X509Certificate;
  /** Leaf and intermediates: what a TLS peer is sent. */
  readonly chainPem: string;
  /** The root that the CA put last; empty when it sent none. */
  readonly rootsPem: string;
}

/**
 * Orders the answer of a CreateCertificate call: leaf first, root last, where an element may hold several
 * certificates (istiod sends its cert-chain.pem as one, which has the root again).
 * @throws Error when there is no certificate in it or one can't be read.
 */
export function toIssuedChain(elements: readonly string[]): IssuedChain {
  const pems = splitCertificates(mergeBundles(...elements));
  const certificates = pems.map((pem) => ({ pem, x509: new X509Certificate(pem) }));
  const leaf = certificates[0];
  if (leaf === undefined) throw new Error("the CA's answer holds no certificate");
  const roots = certificates.slice(1).filter(({ x509 }) => isSelfSigned(x509));
  const sent = certificates.filter((each) => !roots.includes(each));
  return { leaf: leaf.x509, chainPem: sent.map((each) => each.pem).join(""), rootsPem: roots.map((each) => each.pem).join("") };
}
