// Secrets from mounted files instead of the CA: read at start, and again when they change.
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { splitCertificates } from "../../ca/client/trust-bundle.ts";
import type { Clock } from "../../common/clock.ts";
import { describeFileError } from "../../common/file-error.ts";
import { UserError } from "../../common/user-error.ts";
import type { SecretConfig } from "../config/tls-config.ts";
import { watchFiles } from "./file-watch.ts";
import { CERTIFICATE_SECRET, ROOTS_SECRET } from "./workload-identity.ts";

export interface FileIdentityOptions {
  readonly chainFile: string;
  readonly keyFile: string;
  readonly rootsFile: string;
  readonly clock: Clock;
  /** All secrets, at start and at each change. */
  readonly onSecrets: (secrets: readonly SecretConfig[]) => void;
  readonly log: (level: "info" | "warn" | "error", message: string) => void;
}

/**
 * Hands the secrets on before it returns.
 * @returns ends the watching.
 * @throws UserError when the files can't be used at the start; later, the last good ones stay.
 */
export function startFileIdentity(options: FileIdentityOptions): () => void {
  const { chainFile, keyFile, rootsFile, clock, onSecrets, log } = options;
  const read = (): readonly SecretConfig[] => readSecretFiles(chainFile, keyFile, rootsFile);
  onSecrets(read());
  return watchFiles([chainFile, keyFile, rootsFile], clock, () => {
    try {
      onSecrets(read());
      log("info", `certificate read again from ${chainFile}`);
    } catch (error) {
      // Often only half of the files are there yet; the next change is looked at again.
      log("warn", `${(error as Error).message}; the certificate read before stays in use`);
    }
  });
}

/** Reads and checks the three files; throws UserError that names the one at fault. */
export function readSecretFiles(chainFile: string, keyFile: string, rootsFile: string): readonly SecretConfig[] {
  const chainPem = readText(chainFile);
  const keyPem = readText(keyFile);
  const rootsPem = readText(rootsFile);
  const leaf = requireCertificates(chainFile, chainPem);
  requireCertificates(rootsFile, rootsPem);
  if (!isKeyOf(leaf, keyPem, keyFile)) {
    throw new UserError(
      `${keyFile} is not the private key of ${chainFile}`,
      "give the key that belongs to the first certificate of the chain",
    );
  }
  return [
    { kind: "certificate", name: CERTIFICATE_SECRET, chainPem, keyPem },
    { kind: "validation", name: ROOTS_SECRET, rootsPem, sanMatches: [] },
  ];
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new UserError(`can't read ${file}: ${describeFileError(error)}`, "check the path and its permissions");
  }
}

/** The first certificate, once all have been read. */
function requireCertificates(file: string, pem: string): X509Certificate {
  try {
    const [first] = splitCertificates(pem).map((each) => new X509Certificate(each));
    if (first !== undefined) return first;
  } catch {
    // falls through
  }
  throw new UserError(`${file} holds no readable PEM certificate`, 'it should start with "-----BEGIN CERTIFICATE-----"');
}

function isKeyOf(leaf: X509Certificate, keyPem: string, keyFile: string): boolean {
  try {
    return leaf.checkPrivateKey(createPrivateKey(keyPem));
  } catch {
    throw new UserError(`${keyFile} holds no readable private key`, "use an unencrypted PEM key");
  }
}
