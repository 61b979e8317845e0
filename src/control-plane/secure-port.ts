// The secure port: xDS for proxies that prove who they are, and the CA's CreateCertificate call, over TLS.
import * as grpc from "@grpc/grpc-js";
import type { HostPort } from "../common/address.ts";
import type { Logger } from "../common/log.ts";
import { createCertificateService } from "../ca/authority/create-certificate-service.ts";
import type { CertificateOutcome } from "../ca/authority/create-certificate-service.ts";
import { toGrpcServerCredentials } from "../ca/authority/server-certificate.ts";
import { addAdsService } from "../xds/ads-server.ts";
import type { AdsHooks } from "../xds/ads-server.ts";
import type { ControlMetrics } from "./admin/control-metrics.ts";
import type { CertificateAuthority } from "./certificate-authority.ts";
import { bindGrpc, createGrpcServer, stopGrpc } from "./grpc-listener.ts";
import type { ListeningServer } from "./grpc-listener.ts";
import type { ProxyNode } from "./translate/proxy-view.ts";

export interface SecurePortOptions {
  readonly address: HostPort;
  readonly authority: CertificateAuthority;
  readonly trustDomain: string;
  readonly hooks: AdsHooks<ProxyNode>;
  /** Names this control plane on the wire. */
  readonly controlPlane: string;
  readonly metrics: ControlMetrics;
  readonly log: Logger;
}

export async function serveSecurePort(options: SecurePortOptions): Promise<ListeningServer> {
  const { address, authority, trustDomain, hooks, controlPlane, metrics, log } = options;
  const server = createGrpcServer();
  addAdsService(server, hooks, controlPlane, authority.authenticate);
  const onOutcome = (outcome: CertificateOutcome): void => report(outcome, metrics, log);
  const { issuer, authenticate, workloadTtlS } = authority;
  const certificates = createCertificateService({ issuer, authenticate, trustDomain, workloadTtlS, onOutcome });
  server.addService(certificates.definition, certificates.implementation);
  const port = await bindGrpc(
    server,
    address,
    toGrpcServerCredentials(authority.serverCertificate, issuer.authority.rootsPem),
    "--secure-address",
  );
  return { port, stop: () => stopGrpc(server) };
}

function report({ code, identity, message }: CertificateOutcome, metrics: ControlMetrics, log: Logger): void {
  metrics.csrs++;
  if (code === Number(grpc.status.UNAUTHENTICATED)) metrics.authenticationFailures++;
  if (code !== Number(grpc.status.OK)) return log.warn({ identity, code, reason: message }, "certificate refused");
  metrics.certificatesIssued++;
  log.info({ identity }, "certificate issued");
}
