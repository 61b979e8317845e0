// What signs: a certificate, its key, and the way from it to a root, checked once and then trusted by the issuer.
import "reflect-metadata"; // @peculiar/x509 needs it before its own first line
import { createPrivateKey, X509Certificate } from "node:crypto";
import type { KeyObject, webcrypto } from "node:crypto";
import { X509Certificate as ReadableCertificate } from "@peculiar/x509";
import { UserError } from "../../common/user-error.ts";
import { splitCertificates } from "../client/trust-bundle.ts";
import { findKeyProblem, signingAlgorithmOf } from "./key-algorithms.ts";
import type { SigningAlgorithm } from "./key-algorithms.ts";

export interface SigningAuthority {
  readonly certificate: ReadableCertificate;
  readonly key: webcrypto.CryptoKey;
  readonly algorithm: SigningAlgorithm;
  /** What a workload sends after its leaf: the signer, if it is no root itself, and what lies between it and the root. */
  readonly intermediatesPem: readonly string[];
  /** The root that the path ends in. */
  readonly rootPem: string;
  /** Every root that the mesh trusts; holds rootPem. */
  readonly rootsPem: string;
  /** When the first certificate of the path expires, ms since 1970. */
  readonly notAfterMs: number;
}

/** The parts as PEM, and what to call each in a message: a file's path, or a Secret and its key. */
export interface AuthorityParts {
  readonly certificate: NamedPem;
  readonly key: NamedPem;
  /** Intermediates up to the root, the signer and the root themselves allowed. */
  readonly chain: NamedPem | undefined;
  readonly roots: NamedPem;
}

export interface NamedPem {
  readonly name: string;
  readonly pem: string;
}

/**
 * Checks that the parts belong together and are valid at `nowMs`.
 * @throws UserError that names the part at fault.
 */
export function toSigningAuthority(parts: AuthorityParts, nowMs: number): SigningAuthority {
  const signer = readCertificates(parts.certificate)[0]!;
  const key = readKey(parts.key);
  if (!signer.checkPrivateKey(key)) {
    throw new UserError(
      `${parts.key.name} is not the private key of ${parts.certificate.name}`,
      "put the key there that belongs to the certificate, or remove all the parts to have a new root made",
    );
  }
  if (!signer.ca) {
    throw new UserError(`${parts.certificate.name} may not sign: it is no CA certificate`, "issue it with basicConstraints CA:TRUE");
  }
  const problem = findKeyProblem(signer.publicKey);
  if (problem !== undefined) throw new UserError(`${parts.certificate.name}: ${problem}`, "use P-256, P-384 or RSA of 2048 bits and more");
  const roots = readCertificates(parts.roots);
  const path = pathToRoot(signer, roots, parts);
  for (const each of path) requireValid(each, each === signer ? parts.certificate.name : (parts.chain?.name ?? parts.roots.name), nowMs);
  const algorithm = signingAlgorithmOf(signer.publicKey);
  return {
    certificate: new ReadableCertificate(signer.raw),
    key: key.toCryptoKey(algorithm, false, ["sign"]),
    algorithm,
    intermediatesPem: path.slice(0, -1).map((each) => each.toString()),
    rootPem: path.at(-1)!.toString(),
    rootsPem: roots.map((each) => each.toString()).join(""),
    notAfterMs: Math.min(...path.map((each) => each.validToDate.getTime())),
  };
}

/** Signer first, the trusted root that it ends in last. */
function pathToRoot(signer: X509Certificate, roots: readonly X509Certificate[], parts: AuthorityParts): X509Certificate[] {
  const between = parts.chain === undefined ? [] : readCertificates(parts.chain);
  const isRoot = (each: X509Certificate): boolean => roots.some((root) => root.fingerprint256 === each.fingerprint256);
  const path = [signer];
  while (!isRoot(path.at(-1)!)) {
    const last = path.at(-1)!;
    const isIssuer = (each: X509Certificate): boolean => !path.includes(each) && last.checkIssued(each) && last.verify(each.publicKey);
    const issuer = roots.find(isIssuer) ?? between.find(isIssuer);
    if (issuer === undefined) {
      throw new UserError(
        `no path leads from ${parts.certificate.name} to a root of ${parts.roots.name}: the issuer of "${oneLine(last.subject)}" is missing`,
        `put every certificate between them into ${parts.chain?.name ?? "the chain"}`,
      );
    }
    path.push(issuer);
  }
  return path;
}

function readCertificates({ name, pem }: NamedPem): X509Certificate[] {
  try {
    const found = splitCertificates(pem).map((each) => new X509Certificate(each));
    if (found.length > 0) return found;
  } catch {
    // falls through: OpenSSL's words about ASN.1 help nobody
  }
  throw new UserError(`${name} holds no readable PEM certificate`, 'it should start with "-----BEGIN CERTIFICATE-----"');
}

function readKey({ name, pem }: NamedPem): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    throw new UserError(`${name} holds no readable private key`, "use an unencrypted PEM key, PKCS #8, SEC1 or PKCS #1");
  }
}

function requireValid(certificate: X509Certificate, name: string, nowMs: number): void {
  const what = `the certificate "${oneLine(certificate.subject)}" in ${name}`;
  if (certificate.validToDate.getTime() <= nowMs) {
    throw new UserError(`${what} expired at ${certificate.validToDate.toISOString()}`, "renew it and start again");
  }
  if (certificate.validFromDate.getTime() > nowMs) {
    throw new UserError(`${what} is not valid before ${certificate.validFromDate.toISOString()}`, "check this machine's clock");
  }
}

/** Node writes each part of a distinguished name on a line of its own. */
function oneLine(subject: string): string {
  return subject.replaceAll("\n", ", ");
}
