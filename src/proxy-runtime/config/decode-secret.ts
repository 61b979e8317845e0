// Secrets: certificate chain with key, or trusted roots with accepted names. Certificates are parsed here, so that a bad
// one is a rejected resource and not a failing handshake.
import { createHash, createPrivateKey, X509Certificate } from "node:crypto";
import type { KeyObject } from "node:crypto";
import type { Result } from "../../common/result.ts";
import type { CertificateValidationContext, TlsCertificate } from "../../xds/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.ts";
import {
  CertificateValidationContextSchema,
  SubjectAltNameMatcher_SanType as SanType,
  TlsCertificateSchema,
} from "../../xds/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.ts";
import type { Secret } from "../../xds/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts";
import { SecretSchema } from "../../xds/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts";
import { dataSource, stringMatch } from "./decode-values.ts";
import type { Decoded, Decoding } from "./decoding.ts";
import { decodeResource, fieldRules, join } from "./decoding.ts";
import type { SanMatch, SecretConfig } from "./tls-config.ts";

const CERTIFICATE = fieldRules(TlsCertificateSchema, ["certificate_chain", "private_key"]);
const VALIDATION = fieldRules(
  CertificateValidationContextSchema,
  ["trusted_ca", "match_typed_subject_alt_names", "match_subject_alt_names"],
  {
    only_verify_leaf_cert_crl: "no revocation list can be set",
  },
);
const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

type CertificateSecret = Extract<SecretConfig, { kind: "certificate" }>;
type ValidationSecret = Extract<SecretConfig, { kind: "validation" }>;

export function decodeSecret(input: Uint8Array | Secret, path = ""): Result<Decoded<SecretConfig>> {
  return decodeResource(SecretSchema, input, path, (decoding, secret): SecretConfig => {
    if (secret.name === "") decoding.problem(join(path, "name"), "missing");
    switch (secret.type.case) {
      case "tlsCertificate": {
        const value = decodeCertificate(decoding, secret.type.value, join(path, "tls_certificate"));
        return { ...value, name: secret.name };
      }
      case "validationContext": {
        const value = decodeValidation(decoding, secret.type.value, join(path, "validation_context"));
        return { ...value, name: secret.name };
      }
      case "sessionTicketKeys":
        decoding.unsupported(join(path, "session_ticket_keys"));
        break;
      case "genericSecret":
        decoding.unsupported(join(path, "generic_secret"));
        break;
      case undefined:
        decoding.problem(path, "needs tls_certificate or validation_context");
    }
    return { kind: "validation", name: secret.name, rootsPem: "", sanMatches: [] };
  });
}

/** Name of a secret that stood inline: the same content has the same name, in whatever resource it stands. */
function nameByContent(...content: readonly string[]): string {
  const hash = createHash("sha256");
  for (const each of content) hash.update(each).update("\0");
  return `inline|${hash.digest("hex").slice(0, 24)}`;
}

/** Chain and key, checked to belong together. The secret's name is made from its content. */
export function decodeCertificate(decoding: Decoding, certificate: TlsCertificate, path: string): CertificateSecret {
  decoding.check(CERTIFICATE, certificate, path);
  const chainPath = join(path, "certificate_chain");
  const keyPath = join(path, "private_key");
  const before = decoding.failed;
  const chainPem = dataSource(decoding, certificate.certificateChain, chainPath);
  const keyPem = dataSource(decoding, certificate.privateKey, keyPath);
  const unread = decoding.failed && !before;
  if (chainPem === undefined && !unread) decoding.problem(chainPath, "missing");
  if (keyPem === undefined && !unread) decoding.problem(keyPath, "missing");
  const leaf = chainPem === undefined ? undefined : parseCertificates(decoding, chainPem, chainPath)[0];
  const key = keyPem === undefined ? undefined : parseKey(decoding, keyPem, keyPath);
  if (leaf !== undefined && key !== undefined && !leaf.checkPrivateKey(key)) {
    decoding.problem(keyPath, `does not match the certificate of ${describe(leaf)}; both must come from the same issuance`);
  }
  return { kind: "certificate", name: nameByContent(chainPem ?? "", keyPem ?? ""), chainPem: chainPem ?? "", keyPem: keyPem ?? "" };
}

/** Roots and accepted names. Without roots `rootsPem` is empty; names without roots are a problem, as in Envoy. */
export function decodeValidation(decoding: Decoding, context: CertificateValidationContext, path: string): ValidationSecret {
  const value = decodePartialValidation(decoding, context, path);
  if (value.rootsPem === "" && value.sanMatches.length > 0 && context.trustedCa === undefined) {
    decoding.problem(join(path, "trusted_ca"), "missing; names in a certificate prove nothing unless its issuer is verified");
  }
  return value;
}

/** As decodeValidation, for the default part of a combined context, whose roots come from elsewhere. */
export function decodePartialValidation(decoding: Decoding, context: CertificateValidationContext, path: string): ValidationSecret {
  decoding.check(VALIDATION, context, path);
  const caPath = join(path, "trusted_ca");
  const rootsPem = dataSource(decoding, context.trustedCa, caPath) ?? "";
  if (rootsPem !== "") parseCertificates(decoding, rootsPem, caPath);
  else if (context.trustedCa?.specifier.case === "inlineString" || context.trustedCa?.specifier.case === "inlineBytes") {
    decoding.problem(caPath, "holds no certificate");
  }
  const typed = context.matchTypedSubjectAltNames.map((matcher, index): SanMatch => {
    const inner = `${join(path, "match_typed_subject_alt_names")}[${index}]`;
    return { type: sanType(decoding, matcher.sanType, inner), match: stringMatch(decoding, matcher.matcher, join(inner, "matcher")) };
  });
  const untyped = context.matchSubjectAltNames.map((matcher, index): SanMatch => {
    return { type: "any", match: stringMatch(decoding, matcher, `${join(path, "match_subject_alt_names")}[${index}]`) };
  });
  const sanMatches = [...typed, ...untyped];
  return { kind: "validation", name: nameByContent(rootsPem, JSON.stringify(sanMatches)), rootsPem, sanMatches };
}

function sanType(decoding: Decoding, type: SanType, path: string): SanMatch["type"] {
  switch (type) {
    case SanType.URI:
      return "uri";
    case SanType.DNS:
      return "dns";
    case SanType.EMAIL:
      return "email";
    case SanType.IP_ADDRESS:
      return "ip";
    default:
      decoding.problem(join(path, "san_type"), "must be one of EMAIL, DNS, URI, IP_ADDRESS");
      return "any";
  }
}

function parseCertificates(decoding: Decoding, pem: string, path: string): X509Certificate[] {
  const blocks = pem.match(PEM_CERTIFICATE);
  if (blocks === null) {
    decoding.problem(path, "holds no PEM certificate");
    return [];
  }
  const now = Date.now();
  return blocks.flatMap((block, index) => {
    try {
      const certificate = new X509Certificate(block);
      if (certificate.validToDate.getTime() < now) {
        decoding.warning(path, `certificate of ${describe(certificate)} expired at ${certificate.validToDate.toISOString()}`);
      }
      return [certificate];
    } catch (error) {
      decoding.problem(path, `certificate ${index + 1} can't be parsed: ${error instanceof Error ? error.message : String(error)}`);
      return [];
    }
  });
}

function parseKey(decoding: Decoding, pem: string, path: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem);
  } catch {
    // OpenSSL's own words are left out: they name parts of the input.
    decoding.problem(path, pem.includes("ENCRYPTED") ? "not supported: an encrypted key" : "not a PEM private key");
    return undefined;
  }
}

function describe(certificate: X509Certificate): string {
  return (
    certificate.subjectAltName ??
    (certificate.subject === undefined || certificate.subject === "" ? "an unnamed subject" : certificate.subject.replaceAll("\n", ", "))
  );
}
