// /certs: the certificates that prove our identity and those that we trust.
import { X509Certificate } from "node:crypto";
import type { CertificateStatus } from "./data-plane-view.ts";

const DAY_MS = 86_400_000;
const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** envoy.admin.v3.Certificates: one entry per secret. */
export function certificatesJson(certificates: readonly CertificateStatus[], nowMs: number): unknown {
  return {
    certificates: certificates.map(({ kind, pem, secretName }) => {
      const details = [...pem.matchAll(PEM)].map(([block]) => certificateJson(new X509Certificate(block), secretName, nowMs));
      return kind === "validation" ? { ca_cert: details, cert_chain: [] } : { ca_cert: [], cert_chain: details };
    }),
  };
}

function certificateJson(certificate: X509Certificate, secretName: string, nowMs: number): unknown {
  const expires = certificate.validToDate.getTime();
  return {
    path: `<inline: ${secretName}>`,
    serial_number: certificate.serialNumber.toLowerCase(),
    subject_alt_names: alternativeNames(certificate.subjectAltName ?? ""),
    days_until_expiration: String(Math.max(0, Math.floor((expires - nowMs) / DAY_MS))),
    valid_from: certificate.validFromDate.toISOString(),
    expiration_time: certificate.validToDate.toISOString(),
  };
}

/** Node prints `URI:spiffe://…, DNS:name, IP Address:10.0.0.1`; names with a comma in them stand in JSON quotes. */
function alternativeNames(text: string): unknown[] {
  const names: unknown[] = [];
  for (const [, kind, quoted, plain] of text.matchAll(/(?:^|, )(URI|DNS|IP Address):(?:("(?:[^"\\]|\\.)*")|([^,]*))/g)) {
    const value = quoted === undefined ? plain! : (JSON.parse(quoted) as string);
    names.push(kind === "URI" ? { uri: value } : kind === "DNS" ? { dns: value } : { ip_address: value });
  }
  return names;
}
