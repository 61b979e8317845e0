// A CA of a test's own, and what a sidecar asks it with.
import { createIssuer } from "../../src/ca/authority/issuer.ts";
import type { Issuer } from "../../src/ca/authority/issuer.ts";
import { createEphemeralAuthority } from "../../src/ca/authority/roots.ts";
import type { RequestCertificate } from "../../src/ca/client/create-certificate-client.ts";
import type { Clock } from "../../src/common/clock.ts";

export interface TestAuthority {
  readonly issuer: Issuer;
  readonly rootsPem: string;
  /** Signs for the given identity whatever is asked for, as a RequestCertificate. */
  requestFor(spiffeId: string): RequestCertificate;
}

export async function createTestAuthority(clock: Clock): Promise<TestAuthority> {
  const authority = await createEphemeralAuthority("cluster.local", clock.now());
  const issuer = createIssuer(authority, { clock });
  return {
    issuer,
    rootsPem: authority.rootsPem,
    requestFor: (spiffeId) => async (csrPem, ttlS) => (await issuer.signRequest(csrPem, { uris: [spiffeId] }, ttlS)).chain,
  };
}
