// The current secrets and the TLS contexts made of them. A replaced secret reaches every handshake that starts after
// it; connections that exist keep what they have.
import { createSecureContext, type SecureContext, type SecureContextOptions } from "node:tls";
import { constants, X509Certificate } from "node:crypto";
import type { SanMatch, SecretConfig, TlsContextConfig } from "../config/tls-config.ts";

/** Why a context can't be made: a secret that is named but not there yet. */
export interface MissingSecret {
  readonly missing: string;
}

export class Secrets {
  #secrets: ReadonlyMap<string, SecretConfig> = new Map();
  #contexts = new Map<string, SecureContext>();
  readonly #expiriesMs = new Map<string, number>();
  #generation = 0;

  /** Takes the secrets of a new snapshot. Contexts are made anew only where something changed. */
  replace(secrets: ReadonlyMap<string, SecretConfig>): void {
    if (sameSecrets(this.#secrets, secrets)) return;
    this.#secrets = secrets;
    this.#contexts = new Map();
    this.#expiriesMs.clear();
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
    if (name === undefined) return Infinity;
    let expiryMs = this.#expiriesMs.get(name);
    if (expiryMs === undefined) {
      const secret = this.#secrets.get(name);
      expiryMs = secret?.kind === "certificate" ? new X509Certificate(secret.chainPem).validToDate.getTime() : Infinity;
      this.#expiriesMs.set(name, expiryMs);
    }
    return expiryMs;
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
      // A resumed session would keep an identity past its rotation.
      secureOptions: constants.SSL_OP_NO_TICKET,
    };
  }
}

function sameSecrets(left: ReadonlyMap<string, SecretConfig>, right: ReadonlyMap<string, SecretConfig>): boolean {
  if (left.size !== right.size) return false;
  for (const [name, secret] of left) if (right.get(name) !== secret) return false;
  return true;
}

export function isMissingSecret(context: SecureContext | SecureContextOptions | MissingSecret): context is MissingSecret {
  return "missing" in context;
}
