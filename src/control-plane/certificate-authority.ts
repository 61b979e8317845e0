// The CA inside the control plane: root, issuer, who may ask, and the certificate that the secure port shows.
import type { Clock } from "../common/clock.ts";
import type { Logger } from "../common/log.ts";
import type { Authenticator } from "../ca/authority/authenticator.ts";
import { createCallerAuthenticator } from "../ca/authority/caller-authenticator.ts";
import type { CallerAuthenticator } from "../ca/authority/caller-authenticator.ts";
import { createIssuer } from "../ca/authority/issuer.ts";
import type { Issuer } from "../ca/authority/issuer.ts";
import { createJwksAuthenticator } from "../ca/authority/jwks-authenticator.ts";
import { createEphemeralAuthority, loadOrCreateAuthority } from "../ca/authority/roots.ts";
import { createServerCertificate } from "../ca/authority/server-certificate.ts";
import type { ServerCertificate } from "../ca/authority/server-certificate.ts";
import type { SigningAuthority } from "../ca/authority/signing-authority.ts";
import { KubeObjects } from "../kube/objects.ts";
import type { ControlMetrics } from "./admin/control-metrics.ts";
import { loadOrCreateAuthoritySecret } from "./cluster/authority-secret.ts";
import type { ClusterOptions } from "./cluster/cluster-membership.ts";
import { createTokenReviewer } from "./cluster/token-reviewer.ts";

export interface CertificateAuthorityOptions {
  readonly trustDomain: string;
  readonly clusterDomain: string;
  /** The mesh's namespace. */
  readonly rootNamespace: string;
  /** undefined: the cluster's Secret, or without a cluster a root that lives as long as the process. */
  readonly authorityFolder: string | undefined;
  /** undefined: the cluster's API server is asked about tokens. */
  readonly tokenKeysFile: string | undefined;
  readonly tokenIssuer: string;
  /** Further names and addresses for the serving certificate. */
  readonly serverNames: readonly string[];
  readonly workloadTtlS?: number;
  readonly cluster: ClusterOptions | undefined;
  readonly metrics: ControlMetrics;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface CertificateAuthority {
  readonly issuer: Issuer;
  readonly authenticate: CallerAuthenticator;
  readonly serverCertificate: ServerCertificate;
  /** Longest life of a workload's certificate in seconds; undefined: the issuer's own limits. */
  readonly workloadTtlS?: number;
}

/** Of templates/install. */
export const CONTROLLER_SERVICE = "controller";
/** A sidecar waits 10 s for its certificate. */
const REVIEW_TIMEOUT_MS = 5_000;

/** @throws UserError when the root or the keys can't be used, SourceStopped when it ends while the API server is away. */
export async function startCertificateAuthority(options: CertificateAuthorityOptions): Promise<CertificateAuthority> {
  const { trustDomain, clusterDomain, rootNamespace, clock, log } = options;
  const issuer = createIssuer(await loadAuthority(options), { clock });
  const authenticate = createCallerAuthenticator(tokenAuthenticator(options), trustDomain, () => clock.now());
  const service = `${CONTROLLER_SERVICE}.${rootNamespace}`;
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

function loadAuthority(options: CertificateAuthorityOptions): Promise<SigningAuthority> {
  const { authorityFolder, cluster, trustDomain, rootNamespace: namespace, clock, log } = options;
  if (authorityFolder !== undefined) return loadOrCreateAuthority(authorityFolder, trustDomain, clock.now());
  if (cluster === undefined) return createEphemeralAuthority(trustDomain, clock.now());
  const { connection } = cluster;
  const objects = new KubeObjects({ connection, clock, signal: connection.closed });
  return loadOrCreateAuthoritySecret({ objects, namespace, trustDomain, clock, log, stopping: connection.closed });
}

function tokenAuthenticator({ tokenKeysFile, tokenIssuer, cluster, metrics, clock, log }: CertificateAuthorityOptions): Authenticator {
  if (tokenKeysFile !== undefined) {
    return createJwksAuthenticator({
      file: tokenKeysFile,
      issuer: tokenIssuer,
      now: () => clock.now(),
      onProblem: (message) => log.warn({ file: tokenKeysFile }, message),
    });
  }
  if (cluster === undefined) throw new Error("nobody can be asked about tokens");
  return createTokenReviewer({
    objects: new KubeObjects({ connection: cluster.connection, clock, timeoutMs: REVIEW_TIMEOUT_MS }),
    clock,
    onReview: (result) => metrics.countTokenReview(result),
    onTrouble: ({ code, message }) => {
      const advice = code === 403 ? "; allow the controller to create tokenreviews" : "";
      log.error(`sidecars' tokens can't be checked: ${message}${advice}`);
    },
  });
}

function isIp(name: string): boolean {
  return /^[\d.]+$/.test(name) || name.includes(":");
}
