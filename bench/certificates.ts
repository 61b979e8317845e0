// The certificates of one run: a P-256 root and workload certificates with SPIFFE identities, as the mesh's own CA issues
// them. The DNS name and the subject are there for nginx and haproxy, which check those.
import "reflect-metadata";
import { webcrypto } from "node:crypto";
import {
  cryptoProvider,
  BasicConstraintsExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";
import type { X509Certificate } from "@peculiar/x509";
import type { Lab } from "./lab.ts";

export interface Workload {
  readonly name: string;
  readonly spiffeId: string;
  /** DNS name in the certificate. */
  readonly dnsName: string;
  /** PEM files: chain, key, and both in one for haproxy. */
  readonly certificateFile: string;
  readonly keyFile: string;
  readonly bothFile: string;
}

export interface Certificates {
  readonly rootsFile: string;
  readonly client: Workload;
  readonly server: Workload;
  /** Of the same root, but nobody whom the server admits. */
  readonly stranger: Workload;
}

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const LIFETIME_MS = 24 * 3_600_000;

export async function makeCertificates(lab: Lab): Promise<Certificates> {
  cryptoProvider.set(webcrypto);
  const notBefore = new Date(Date.now() - 60_000);
  const notAfter = new Date(Date.now() + LIFETIME_MS);
  const rootKeys = await newKeys();
  const root = await X509CertificateGenerator.createSelfSigned({
    serialNumber: "01",
    name: "O=meshctl benchmark",
    notBefore,
    notAfter,
    signingAlgorithm: ALGORITHM,
    keys: rootKeys,
    extensions: [new BasicConstraintsExtension(true, 0, true)],
  });
  let serial = 1;
  const issue = async (name: string): Promise<Workload> => {
    const keys = await newKeys();
    const spiffeId = `spiffe://cluster.local/ns/bench/sa/${name}`;
    const dnsName = `${name}.bench`;
    const certificate: X509Certificate = await X509CertificateGenerator.create({
      serialNumber: (++serial).toString(16).padStart(2, "0"),
      subject: `CN=${name}`,
      issuer: root.subject,
      notBefore,
      notAfter,
      signingAlgorithm: ALGORITHM,
      publicKey: keys.publicKey,
      signingKey: rootKeys.privateKey,
      extensions: [
        new SubjectAlternativeNameExtension([
          { type: "url", value: spiffeId },
          { type: "dns", value: dnsName },
        ]),
      ],
    });
    const pem = certificate.toString("pem");
    const key = PemConverter.encode(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey), "PRIVATE KEY");
    return {
      name,
      spiffeId,
      dnsName,
      certificateFile: lab.write(`${name}.pem`, `${pem}\n`),
      keyFile: lab.write(`${name}.key`, `${key}\n`),
      bothFile: lab.write(`${name}-both.pem`, `${pem}\n${key}\n`),
    };
  };
  return {
    rootsFile: lab.write("roots.pem", `${root.toString("pem")}\n`),
    client: await issue("client"),
    server: await issue("server"),
    stranger: await issue("stranger"),
  };
}

async function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
}
