// What certificates of peers say, read once for each certificate: a client opens many connections with the same one, and
// reading it takes longer than all else that we do for a new connection. Found by SHA-256, so nobody gets another's names.
import type { X509Certificate } from "node:crypto";
import type { PeerIdentity } from "../telemetry/stream-info.ts";
import { parseSubjectAltNames, type SubjectAltNames } from "./san-match.ts";

export interface PeerCertificate {
  readonly names: SubjectAltNames;
  /** The same object on each connection with this certificate, as long as it is remembered. */
  readonly identity: PeerIdentity;
}

// Workloads that one server has as clients; about 1 KB each.
const MAX_REMEMBERED = 256;

export class PeerCertificates {
  readonly #known = new Map<string, PeerCertificate>();

  /** @param certificate of a peer whom OpenSSL trusts: others could push the trusted ones out. */
  of(certificate: X509Certificate): PeerCertificate {
    const fingerprint = certificate.fingerprint256;
    let known = this.#known.get(fingerprint);
    if (known === undefined) {
      known = readPeerCertificate(certificate, fingerprint);
      if (this.#known.size >= MAX_REMEMBERED) this.#known.clear();
      this.#known.set(fingerprint, known);
    }
    return known;
  }
}

function readPeerCertificate(certificate: X509Certificate, fingerprint: string): PeerCertificate {
  const names = parseSubjectAltNames(certificate.subjectAltName);
  const hash = fingerprint.replaceAll(":", "").toLowerCase();
  // Node has no subject for a certificate without one, whatever its types say.
  const subject = (certificate.subject as string | undefined) ?? "";
  return { names, identity: { uri: names.uris[0] ?? "", subject, dns: names.dns, hash } };
}
