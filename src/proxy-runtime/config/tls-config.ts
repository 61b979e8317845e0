// TLS contexts as the data path needs them. Certificates are referred to by secret name and looked up when a
// handshake starts, so that a replaced secret reaches new connections and drops none.

export type StringMatch =
  | { readonly kind: "exact" | "prefix" | "suffix" | "contains"; readonly value: string; readonly ignoreCase: boolean }
  /** RE2 syntax, the whole string must match (Envoy's StringMatcher.safe_regex). */
  | { readonly kind: "regex"; readonly value: string; readonly ignoreCase: boolean };

/** A subject alternative name that is accepted: Envoy's SubjectAltNameMatcher. */
export interface SanMatch {
  readonly type: "uri" | "dns" | "email" | "ip" | "any";
  readonly match: StringMatch;
}

export interface TlsContextConfig {
  /** Secret with certificate chain and key; undefined: no own certificate. Inline certificates are given a name by the decoder. */
  readonly certificateSecret: string | undefined;
  /** Secret with the trusted roots; undefined: the peer's chain is not verified. */
  readonly validationSecret: string | undefined;
  /** Any of these must match (OR). Empty: no check of names. Used besides those that the validation secret itself has. */
  readonly sanMatches: readonly SanMatch[];
  readonly alpn: readonly string[];
  readonly minVersion: "TLSv1.2" | "TLSv1.3";
  readonly maxVersion: "TLSv1.2" | "TLSv1.3";
  readonly cipherSuites: readonly string[];
}

export interface DownstreamTlsConfig extends TlsContextConfig {
  /** A client without a certificate is refused. */
  readonly requireClientCertificate: boolean;
}

export interface UpstreamTlsConfig extends TlsContextConfig {
  /** Server name to send; undefined: none. */
  readonly sni: string | undefined;
}

/** A secret as it is served: PEM bytes as text. */
export type SecretConfig =
  | { readonly kind: "certificate"; readonly name: string; readonly chainPem: string; readonly keyPem: string }
  | { readonly kind: "validation"; readonly name: string; readonly rootsPem: string; readonly sanMatches: readonly SanMatch[] };
