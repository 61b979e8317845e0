// What a person wants to know of the certificates in use: serial, names, validity. Admin's /certs and tls-check show it.
import { X509Certificate } from "node:crypto";
import { splitCertificates } from "../../ca/client/trust-bundle.ts";
import type { SecretConfig } from "../config/tls-config.ts";

export interface SubjectAltName {
  readonly type: "uri" | "dns" | "ip" | "email";
  readonly value: string;
}

export interface CertificateFacts {
  /** Hexadecimal, lower case, as in Envoy's /certs. */
  readonly serialNumber: string;
  readonly subjectAltNames: readonly SubjectAltName[];
  /** ms since 1970. */
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

export interface SecretFacts {
  readonly name: string;
  /** The chain of a certificate secret (leaf first), or the roots of a validation secret. */
  readonly kind: SecretConfig["kind"];
  readonly certificates: readonly CertificateFacts[];
}

export function readSecretFacts(secret: SecretConfig): SecretFacts {
  const pem = secret.kind === "certificate" ? secret.chainPem : secret.rootsPem;
  return { name: secret.name, kind: secret.kind, certificates: readCertificateFacts(pem) };
}

/** In the order of the PEM text; throws when a certificate can't be read. */
export function readCertificateFacts(pem: string): CertificateFacts[] {
  return splitCertificates(pem).map((each) => {
    const certificate = new X509Certificate(each);
    return {
      serialNumber: certificate.serialNumber.toLowerCase(),
      subjectAltNames: parseSubjectAltNames(certificate.subjectAltName ?? ""),
      notBeforeMs: certificate.validFromDate.getTime(),
      notAfterMs: certificate.validToDate.getTime(),
    };
  });
}

/** Envoy's days_until_expiration: whole days, 0 when expired. */
export function daysUntilExpiration({ notAfterMs }: CertificateFacts, nowMs: number): number {
  return Math.max(0, Math.floor((notAfterMs - nowMs) / 86_400_000));
}

const TYPES: Readonly<Record<string, SubjectAltName["type"]>> = { URI: "uri", DNS: "dns", "IP Address": "ip", email: "email" };
// Node writes a value as a JSON string where it could be mistaken for two names (CVE-2021-44532).
const NAME = /([A-Za-z ]+):("(?:[^"\\]|\\.)*"|[^,]*)(?:, |$)/g;

function parseSubjectAltNames(text: string): SubjectAltName[] {
  const names: SubjectAltName[] = [];
  for (const [, label, raw] of text.matchAll(NAME)) {
    const type = TYPES[label!];
    if (type !== undefined) names.push({ type, value: raw!.startsWith('"') ? (JSON.parse(raw!) as string) : raw! });
  }
  return names;
}
