// A CA and certificates with SPIFFE identities for TLS tests, and the static secrets of a bootstrap made of them.
import { generateKeyPairSync } from "node:crypto";
import { createIssuer } from "../../src/ca/authority/issuer.ts";
import { createEphemeralAuthority } from "../../src/ca/authority/roots.ts";
import type { Json } from "./proxy-plane.ts";

export interface TestCertificate {
  /** Leaf and intermediates, PEM. */
  readonly cert: string;
  readonly key: string;
}

export interface TestIdentities {
  readonly rootsPem: string;
  /** A certificate for `spiffe://cluster.local/ns/test/sa/NAME`; one that expired an hour ago where so asked. */
  issue(name: string, options?: { readonly expired?: boolean }): Promise<TestCertificate>;
}

export const spiffeId = (name: string): string => `spiffe://cluster.local/ns/test/sa/${name}`;

export async function createIdentities(): Promise<TestIdentities> {
  const authority = await createEphemeralAuthority("cluster.local", Date.now() - 4 * 3_600_000);
  return {
    rootsPem: authority.rootsPem,
    async issue(name, { expired = false } = {}) {
      const now = expired ? Date.now() - 2 * 3_600_000 : Date.now();
      const issuer = createIssuer(authority, { clock: { now: () => now, after: () => () => undefined } });
      const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
      const { chain } = await issuer.signKey(publicKey, { uris: [spiffeId(name)] }, 3600);
      return { cert: chain.slice(0, -1).join(""), key: privateKey.export({ type: "pkcs8", format: "pem" }) };
    },
  };
}

export function certificateSecret(name: string, { cert, key }: TestCertificate): Json {
  return { name, tls_certificate: { certificate_chain: { inline_string: cert }, private_key: { inline_string: key } } };
}

export function rootsSecret(name: string, rootsPem: string): Json {
  return { name, validation_context: { trusted_ca: { inline_string: rootsPem } } };
}

/** common_tls_context with the secrets `own` and `roots`, and the peers that are accepted. */
export function commonTls(peers: readonly string[], more: Json = {}): Json {
  return {
    common_tls_context: {
      tls_certificate_sds_secret_configs: [{ name: "own" }],
      combined_validation_context: {
        default_validation_context: {
          match_typed_subject_alt_names: peers.map((each) => ({ san_type: "URI", matcher: { exact: spiffeId(each) } })),
        },
        validation_context_sds_secret_config: { name: "roots" },
      },
      ...more,
    },
  };
}
