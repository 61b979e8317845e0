// The current secrets and the TLS contexts made of them. A replaced secret reaches every handshake that starts after
// it; connections that exist keep what they have.
import { createSecureContext, type SecureContext, type SecureContextOptions } from "node:tls";
import { constants, X509Certificate } from "node:crypto";
import type { SanMatch, SecretConfig, TlsContextConfig } from "../config/tls-config.ts";
import { parseSubjectAltNames } from "./san-match.ts";

/** Why a context can't be made: a secret that is named but not there yet. */
export interface MissingSecret {
  readonly missing: string;
}

interface OwnCertificate {
  readonly expiryMs: number;
  readonly uri: string;
}

export class Secrets {
  #secrets: ReadonlyMap<string, SecretConfig> = new Map();
  #contexts = new Map<string, SecureContext>();
  readonly #own = new Map<string, OwnCertificate>();
  #generation = 0;

  /** Takes the secrets of a new snapshot. Contexts are made anew only where something changed. */
  replace(secrets: ReadonlyMap<string, SecretConfig>): void {
    if (sameSecrets(this.#secrets, secrets)) return;
    this.#secrets = secrets;
    this.#contexts = new Map();
    this.#own.clear();
    this.#generation += 1;
  }

  /** Grows with every change; who derives something from a context compares it. */
  get generation(): number {
    return this.#generation;
  }

  all(): IterableIterator<SecretConfig> {
    return this.#secrets.values();
  }

  /** Names that the validation secret itself demands, beside those of the TLS context. */
  sanMatchesOf(config: TlsContextConfig): readonly SanMatch[] {
    const secret = config.validationSecret === undefined ? undefined : this.#secrets.get(config.validationSecret);
    return secret?.kind === "validation" ? secret.sanMatches : [];
  }

  /** End of our own certificate's life, ms since 1970; Infinity where the configuration shows none. */
  expiryMsOf({ certificateSecret: name }: TlsContextConfig): number {
    return name === undefined ? Infinity : this.#ownCertificate(name).expiryMs;
  }

  /** First URI in our own certificate; empty where it has none, or the configuration shows none. */
  ownUriOf({ certificateSecret: name }: TlsContextConfig): string {
    return name === undefined ? "" : this.#ownCertificate(name).uri;
  }

  #ownCertificate(name: string): OwnCertificate {
    let own = this.#own.get(name);
    if (own === undefined) {
      const secret = this.#secrets.get(name);
      own = secret?.kind === "certificate" ? readOwnCertificate(secret.chainPem) : { expiryMs: Infinity, uri: "" };
      this.#own.set(name, own);
    }
    return own;
  }

  /**
   * The context for a configuration, made on first use.
   * @throws what OpenSSL says of a certificate or key that it does not take.
   */
  contextFor(config: TlsContextConfig): SecureContext | MissingSecret {
    const key = `${config.certificateSecret ?? ""}\n${config.validationSecret ?? ""}\n${config.minVersion}\n${config.maxVersion}\n${config.cipherSuites.join(":")}`;
    const known = this.#contexts.get(key);
    if (known !== undefined) return known;
    const options = this.optionsFor(config);
    if (isMissingSecret(options)) return options;
    const context = createSecureContext(options);
    this.#contexts.set(key, context);
    return context;
  }

  /** The same as options, for tls.Server.setSecureContext. */
  optionsFor(config: TlsContextConfig): SecureContextOptions | MissingSecret {
    const certificate = config.certificateSecret === undefined ? undefined : this.#secrets.get(config.certificateSecret);
    if (config.certificateSecret !== undefined && certificate?.kind !== "certificate") return { missing: config.certificateSecret };
    const validation = config.validationSecret === undefined ? undefined : this.#secrets.get(config.validationSecret);
    if (config.validationSecret !== undefined && validation?.kind !== "validation") return { missing: config.validationSecret };
    return {
      ...(certificate?.kind === "certificate" ? { cert: certificate.chainPem, key: certificate.keyPem } : {}),
      ca: validation?.kind === "validation" ? validation.rootsPem : [],
      minVersion: config.minVersion,
      maxVersion: config.maxVersion,
      ...(config.cipherSuites.length > 0 ? { ciphers: config.cipherSuites.join(":") } : {}),
      // A resumed session would keep an identity past its rotation. For TLS 1.2; those of 1.3 bin/openssl.cnf turns off.
      secureOptions: constants.SSL_OP_NO_TICKET,
    };
  }
}

/** The first of a chain is the one that it is about. */
function readOwnCertificate(chainPem: string | Buffer): OwnCertificate {
  const certificate = new X509Certificate(chainPem);
  return { expiryMs: certificate.validToDate.getTime(), uri: parseSubjectAltNames(certificate.subjectAltName).uris[0] ?? "" };
}

function sameSecrets(left: ReadonlyMap<string, SecretConfig>, right: ReadonlyMap<string, SecretConfig>): boolean {
  if (left.size !== right.size) return false;
  for (const [name, secret] of left) if (right.get(name) !== secret) return false;
  return true;
}

export function isMissingSecret(context: SecureContext | SecureContextOptions | MissingSecret): context is MissingSecret {
  return "missing" in context;
}
