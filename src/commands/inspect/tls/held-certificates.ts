// The certificates that a sidecar holds, from Envoy's /certs.
import { items, text, type Json } from "../proxy-config/envoy-json.ts";

export interface HeldCertificate {
  readonly kind: "workload" | "root";
  /** SPIFFE id; "" for a root without one. */
  readonly identity: string;
  readonly serialNumber: string;
  /** RFC 3339. */
  readonly notAfter: string;
  /** Negative once it has expired. */
  readonly daysLeft: number;
}

const DAY_MS = 86_400_000;

/**
 * The workload's own certificates, leaves only, then the roots, each once.
 * @param certs the answer, keys in camelCase.
 * @param now ms since the epoch.
 */
export function heldCertificates(certs: Json, now: number): HeldCertificate[] {
  const entries = items(certs, "certificates");
  const leaves = entries.flatMap((entry) => items(entry, "certChain").slice(0, 1)).map((each) => read("workload", each, now));
  const roots = entries.flatMap((entry) => items(entry, "caCert")).map((each) => read("root", each, now));
  const unique = new Map([...leaves, ...roots].map((each) => [`${each.kind} ${each.serialNumber}`, each]));
  return [...unique.values()];
}

function read(kind: HeldCertificate["kind"], certificate: Json, now: number): HeldCertificate {
  const expiration = text(certificate, "expirationTime");
  const uris = items(certificate, "subjectAltNames").map((each) => text(each, "uri"));
  return {
    kind,
    identity: uris.find((uri) => uri !== "") ?? "",
    serialNumber: text(certificate, "serialNumber"),
    notAfter: expiration.replace(/\.\d+Z$/, "Z"),
    daysLeft: (Date.parse(expiration) - now) / DAY_MS,
  };
}
