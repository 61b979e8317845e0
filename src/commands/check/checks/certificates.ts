// Certificates as the checks see them: whether they can be read, are valid now, and for how many days.
import { X509Certificate } from "node:crypto";
import { isSelfSigned, splitCertificates } from "../../../ca/client/trust-bundle.ts";
import type { Finding } from "../check-list.ts";

const DAY_MS = 86_400_000;
/** linkerd's. */
const WARN_DAYS = 60;

/** Every certificate of a PEM text; undefined when one can't be read. */
export function readCertificates(pem: string): X509Certificate[] | undefined {
  try {
    return splitCertificates(pem).map((each) => new X509Certificate(each));
  } catch {
    return undefined;
  }
}

export function daysLeft(certificate: X509Certificate, nowMs: number): number {
  return Math.floor((certificate.validToDate.getTime() - nowMs) / DAY_MS);
}

/** @param what is valid: `root certificate`. */
export function validityFindings(
  certificate: X509Certificate,
  what: string,
  nowMs: number,
  remedy: string,
  warnDays = WARN_DAYS,
): Finding[] {
  const name = `${what} ${nameOf(certificate)}`;
  if (certificate.validToDate.getTime() <= nowMs)
    return [{ message: `${name} has expired, on ${dayOf(certificate.validToDate)}`, remedy, severity: "error" }];
  if (certificate.validFromDate.getTime() > nowMs)
    return [{ message: `${name} is not valid before ${certificate.validFromDate.toISOString()}`, remedy, severity: "error" }];
  const days = daysLeft(certificate, nowMs);
  if (days >= warnDays) return [];
  return [{ message: `${name} expires in ${days} days, on ${dayOf(certificate.validToDate)}`, remedy, severity: "warning" }];
}

export function nameOf({ subject, fingerprint256 }: X509Certificate): string {
  const text = subject?.replaceAll("\n", ", ") ?? "";
  return text === "" ? fingerprint256.slice(0, 23) : JSON.stringify(text);
}

function dayOf(date: Date): string {
  return date.toISOString().slice(0, 10);
}

/** Does a chain, leaf first, lead to one of the roots? */
export function leadsTo(chain: readonly X509Certificate[], roots: readonly X509Certificate[]): boolean {
  for (const [index, certificate] of chain.entries()) {
    if (roots.some((root) => certificate.fingerprint256 === root.fingerprint256 || isIssuedBy(certificate, root))) return true;
    const next = chain[index + 1];
    if (next === undefined || !isIssuedBy(certificate, next)) return false;
  }
  return false;
}

export function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

export { isSelfSigned };
