// Signs certificates. What is in one is decided here and by the caller's identity; of a request only the key counts.
import "reflect-metadata";
import { createPublicKey, randomBytes } from "node:crypto";
import type { KeyObject } from "node:crypto";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Pkcs10CertificateRequest,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";
import type { JsonGeneralName } from "@peculiar/x509";
import type { Clock } from "../../common/clock.ts";
import { findKeyProblem } from "./key-algorithms.ts";
import type { SigningAuthority } from "./signing-authority.ts";

/** What the asker did wrong; becomes InvalidArgument on the wire. */
export class IssueError extends Error {
  override readonly name = "IssueError";
}

export interface IssuedCertificate {
  /** PEM texts: leaf, intermediates, root last (the answer of a CreateCertificate call). */
  readonly chain: readonly string[];
  readonly notAfterMs: number;
}

export interface CertificateNames {
  readonly uris?: readonly string[];
  readonly dnsNames?: readonly string[];
  readonly ips?: readonly string[];
}

export interface Issuer {
  readonly authority: SigningAuthority;
  /**
   * Signs a request's key for the given names.
   * @param ttlS wished lifetime in seconds; 0 or less: the default.
   * @throws IssueError when the request is broken, its key too weak or the lifetime too long.
   */
  signRequest(csrPem: string, names: CertificateNames, ttlS: number): Promise<IssuedCertificate>;
  /** The same for a key of our own. */
  signKey(publicKey: KeyObject, names: CertificateNames, ttlS: number): Promise<IssuedCertificate>;
}

/** Certificates are valid a little before they are made, for peers whose clock is behind (Istio's 2 minutes). */
export const BACKDATE_MS = 2 * 60 * 1000;
export const DEFAULT_TTL_S = 24 * 3600;
export const MAX_TTL_S = 90 * 24 * 3600;
const MAX_CSR_BYTES = 64 * 1024;

export interface IssuerOptions {
  readonly clock: Clock;
  readonly defaultTtlS?: number;
  readonly maxTtlS?: number;
}

export function createIssuer(
  authority: SigningAuthority,
  { clock, defaultTtlS = DEFAULT_TTL_S, maxTtlS = MAX_TTL_S }: IssuerOptions,
): Issuer {
  // Read from the signer where it has one: verifiers compare the two byte by byte.
  const signerKeyId = authority.certificate.getExtension(SubjectKeyIdentifierExtension)?.keyId;

  async function signKey(publicKey: KeyObject, names: CertificateNames, ttlS: number): Promise<IssuedCertificate> {
    const wishedTtlS = ttlS > 0 ? ttlS : defaultTtlS;
    if (wishedTtlS > maxTtlS) throw new IssueError(`a lifetime of ${wishedTtlS} s is longer than the allowed ${maxTtlS} s`);
    const nowMs = clock.now();
    const notAfterMs = Math.min(nowMs + wishedTtlS * 1000, authority.notAfterMs);
    if (notAfterMs <= nowMs) throw new Error(`the CA's own certificate expired at ${new Date(authority.notAfterMs).toISOString()}`);
    const certificate = await X509CertificateGenerator.create({
      serialNumber: newSerialNumber(),
      subject: "",
      issuer: authority.certificate.subjectName,
      notBefore: new Date(nowMs - BACKDATE_MS),
      notAfter: new Date(notAfterMs),
      publicKey: publicKey.export({ type: "spki", format: "der" }),
      signingKey: authority.key,
      signingAlgorithm: authority.algorithm,
      extensions: [
        new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
        new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
        new BasicConstraintsExtension(false, undefined, true),
        signerKeyId === undefined
          ? await AuthorityKeyIdentifierExtension.create(authority.certificate.publicKey)
          : new AuthorityKeyIdentifierExtension(signerKeyId),
        // Critical, as the subject is empty (RFC 5280 §4.2.1.6).
        new SubjectAlternativeNameExtension(toGeneralNames(names), true),
      ],
    });
    return { chain: [`${certificate.toString("pem")}\n`, ...authority.intermediatesPem, authority.rootPem], notAfterMs };
  }

  return {
    authority,
    signKey,
    signRequest: async (csrPem, names, ttlS) => signKey(await provenKey(csrPem), names, ttlS),
  };
}

/** The public key of a request, once its signature proves that the asker has the private one. */
async function provenKey(csrPem: string): Promise<KeyObject> {
  if (csrPem.length > MAX_CSR_BYTES) throw new IssueError(`the request is larger than ${MAX_CSR_BYTES} bytes`);
  if (!/^\s*-----BEGIN (NEW )?CERTIFICATE REQUEST-----/.test(csrPem)) throw new IssueError("the request is no PEM certificate request");
  let request: Pkcs10CertificateRequest;
  let key: KeyObject;
  try {
    request = new Pkcs10CertificateRequest(csrPem);
    key = createPublicKey({ key: Buffer.from(request.publicKey.rawData), format: "der", type: "spki" });
  } catch {
    throw new IssueError("the request can't be read as PKCS #10");
  }
  const problem = findKeyProblem(key);
  if (problem !== undefined) throw new IssueError(problem);
  if (!(await request.verify().catch(() => false))) throw new IssueError("the request's signature does not match its key");
  return key;
}

function toGeneralNames({ uris = [], dnsNames = [], ips = [] }: CertificateNames): JsonGeneralName[] {
  return [
    ...uris.map((value) => ({ type: "url" as const, value })),
    ...dnsNames.map((value) => ({ type: "dns" as const, value })),
    ...ips.map((value) => ({ type: "ip" as const, value })),
  ];
}

/** 127 random bits, positive and without leading zero (RFC 5280 §4.1.2.2). */
export function newSerialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0]! & 0x7f) | 0x40;
  return bytes.toString("hex");
}
