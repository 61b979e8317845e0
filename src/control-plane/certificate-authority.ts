// The CA inside the control plane: root, issuer, who may ask, and the certificate that the secure port shows.
import type { Clock } from "../common/clock.ts";
import type { Logger } from "../common/log.ts";
import type { Authenticator } from "../ca/authority/authenticator.ts";
import { createIssuer } from "../ca/authority/issuer.ts";
import type { Issuer } from "../ca/authority/issuer.ts";
import { createJwksAuthenticator } from "../ca/authority/jwks-authenticator.ts";
import { createEphemeralAuthority, loadOrCreateAuthority } from "../ca/authority/roots.ts";
import { createServerCertificate } from "../ca/authority/server-certificate.ts";
import type { ServerCertificate } from "../ca/authority/server-certificate.ts";
import { MESH_NAMESPACE } from "../xds/names.ts";

export interface CertificateAuthorityOptions {
  readonly trustDomain: string;
  readonly clusterDomain: string;
  /** undefined: a root that lives as long as the process. */
  readonly authorityFolder: string | undefined;
  readonly tokenKeysFile: string;
  readonly tokenIssuer: string;
  /** Further names and addresses for the serving certificate. */
  readonly serverNames: readonly string[];
  readonly workloadTtlS?: number;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface CertificateAuthority {
  readonly issuer: Issuer;
  readonly authenticate: Authenticator;
  readonly serverCertificate: ServerCertificate;
  /** Longest life of a workload's certificate in seconds; undefined: the issuer's own limits. */
  readonly workloadTtlS?: number;
}

const SERVICE_NAME = "controller";

/** @throws UserError when the root or the keys can't be used. */
export async function startCertificateAuthority(options: CertificateAuthorityOptions): Promise<CertificateAuthority> {
  const { trustDomain, clusterDomain, authorityFolder: folder, tokenKeysFile, tokenIssuer, clock, log } = options;
  const authority =
    folder === undefined
      ? await createEphemeralAuthority(trustDomain, clock.now())
      : await loadOrCreateAuthority(folder, trustDomain, clock.now());
  const issuer = createIssuer(authority, { clock });
  const authenticate = createJwksAuthenticator({
    file: tokenKeysFile,
    issuer: tokenIssuer,
    now: () => clock.now(),
    onProblem: (message) => log.warn({ file: tokenKeysFile }, message),
  });
  const service = `${SERVICE_NAME}.${MESH_NAMESPACE}`;
  const names = [
    service,
    `${service}.svc`,
    `${service}.svc.${clusterDomain}`,
    "localhost",
    ...options.serverNames.filter((each) => !isIp(each)),
  ];
  const serverCertificate = await createServerCertificate({
    issuer,
    dnsNames: [...new Set(names)],
    ips: [...new Set(["127.0.0.1", "::1", ...options.serverNames.filter(isIp)])],
    clock,
    onFailure: (error) => log.error({ error: error.message }, "could not renew the serving certificate; the old one stays"),
  });
  return { issuer, authenticate, serverCertificate, workloadTtlS: options.workloadTtlS };
}

function isIp(name: string): boolean {
  return /^[\d.]+$/.test(name) || name.includes(":");
}
