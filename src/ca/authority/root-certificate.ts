// A new self-signed root: P-256, ten years.
import "reflect-metadata";
import { KeyObject, webcrypto } from "node:crypto";
import {
  BasicConstraintsExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { BACKDATE_MS, newSerialNumber } from "./issuer.ts";

const LIFETIME_MS = 3650 * 24 * 3600 * 1000; // Istio's

/** @param nowMs wall clock, ms. */
export async function createRootCertificate(trustDomain: string, nowMs: number): Promise<{ certificatePem: string; keyPem: string }> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerialNumber(),
    // The number tells roots made after one another apart: verifiers look issuers up by name.
    name: [{ O: [trustDomain] }, { CN: [`meshctl root ${newSerialNumber().slice(0, 8)}`] }],
    notBefore: new Date(nowMs - BACKDATE_MS),
    notAfter: new Date(nowMs + LIFETIME_MS),
    keys,
    signingAlgorithm: algorithm,
    extensions: [
      new BasicConstraintsExtension(true, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return {
    certificatePem: `${certificate.toString("pem")}\n`,
    keyPem: KeyObject.from(keys.privateKey).export({ type: "pkcs8", format: "pem" }),
  };
}
