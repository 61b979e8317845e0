// The control plane as one process: sources → ingest → registry → push → ADS, with the CA beside it on the secure port
// and the monitoring port. Read top to bottom: this is the order in which things start; they stop in reverse.
import * as grpc from "@grpc/grpc-js";
import type { Server as HttpServer } from "node:http";
import { formatHostPort } from "../common/address.ts";
import type { HostPort } from "../common/address.ts";
import type { Clock } from "../common/clock.ts";
import type { Logger } from "../common/log.ts";
import { VERSION } from "../common/version.ts";
import { createCertificateService } from "../ca/authority/create-certificate-service.ts";
import { toGrpcServerCredentials } from "../ca/authority/server-certificate.ts";
import { addAdsService } from "../xds/ads-server.ts";
import type { AdsHooks } from "../xds/ads-server.ts";
import { TypeUrl } from "../xds/names.ts";
import { authenticationReport } from "./admin/authentication-report.ts";
import { ControlMetrics } from "./admin/control-metrics.ts";
import { createMonitoringServer } from "./admin/monitoring-server.ts";
import { syncStatus } from "./admin/sync-status.ts";
import { startCertificateAuthority } from "./certificate-authority.ts";
import type { CertificateAuthority } from "./certificate-authority.ts";
import { bindError, bindGrpc, createGrpcServer, stopGrpc } from "./grpc-listener.ts";
import { Ingest } from "./ingest/ingest.ts";
import { formatConfigProblem } from "./ingest/raw-object.ts";
import { PushCoordinator } from "./push/push-coordinator.ts";
import { admitProxy } from "./push/proxy-node.ts";
import { Registry } from "./registry/registry.ts";
import type { MeshSettings } from "./registry/mesh-snapshot.ts";
import type { Source } from "./sources/source.ts";
import type { ProxyNode } from "./translate/proxy-view.ts";

export interface ControllerOptions {
  readonly settings: MeshSettings;
  /** A later source has the last word on an object. */
  readonly sources: readonly Source[];
  /** Plaintext, without authentication; undefined: none. */
  readonly xdsAddress: HostPort | undefined;
  /** TLS, for proxies that show a token; undefined: none. */
  readonly secure:
    | {
        readonly address: HostPort;
        readonly authorityFolder: string | undefined;
        readonly tokenKeysFile: string;
        readonly tokenIssuer: string;
        readonly serverNames: readonly string[];
      }
    | undefined;
  readonly monitoringAddress: HostPort | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface Controller {
  /** Addresses as bound, for ports that were 0. */
  readonly xdsPort: number | undefined;
  readonly securePort: number | undefined;
  readonly monitoringPort: number | undefined;
  stop(): Promise<void>;
}

const STOP_GRACE_MS = 1_000;
const SHORT_TYPES: Readonly<Record<string, string>> = {
  [TypeUrl.cluster]: "cds",
  [TypeUrl.endpoints]: "eds",
  [TypeUrl.listener]: "lds",
  [TypeUrl.route]: "rds",
  [TypeUrl.nameTable]: "nds",
};

/** @throws UserError when an address is taken or the CA's files can't be used; then nothing is left running. */
export async function startController(options: ControllerOptions): Promise<Controller> {
  const { settings, sources, clock, log } = options;
  const stops: (() => Promise<void> | void)[] = [];
  const stop = async (): Promise<void> => {
    for (const each of stops.splice(0).reverse()) await each();
  };
  try {
    const registry = new Registry(settings);
    const metrics = new ControlMetrics(VERSION);
    const ingest = new Ingest(registry, {
      onProblem: (problem) => log.warn(problem, `ignored: ${formatConfigProblem(problem)}`),
      onSolved: (problem) => log.info({ file: problem.file, object: problem.object }, `no longer a problem: ${formatConfigProblem(problem)}`),
    });
    const pushes = new PushCoordinator({
      clock,
      snapshot: () => registry.snapshot(),
      onConverged: (elapsedMs) => metrics.observeConvergence(elapsedMs / 1000),
      onError: (connection, error) => log.error({ proxy: connection.proxy.id, error: String(error) }, "push failed"),
    });
    stops.push(() => pushes.stop());

    // Before the listeners, so that the first proxy is told the whole mesh and not half of it.
    for (const [index, source] of sources.entries()) {
      stops.push(() => source.stop());
      await source.start((changes) => {
        ingest.apply(index, changes);
        pushes.changed();
      });
    }
    pushes.pushNow();

    // Before the listeners too: a bad key file ends the process while nobody has connected.
    const authority = options.secure === undefined ? undefined : await startAuthority(options, options.secure);
    if (authority !== undefined) stops.push(() => authority.serverCertificate.stop());
    const hooks = adsHooks(pushes, metrics, log);
    const controlPlane = JSON.stringify({ Component: "meshctl", Info: { version: VERSION } });

    let xdsPort: number | undefined;
    if (options.xdsAddress !== undefined) {
      const server = createGrpcServer();
      stops.push(() => stopGrpc(server, STOP_GRACE_MS));
      addAdsService(server, hooks, controlPlane, undefined);
      xdsPort = await bindGrpc(server, options.xdsAddress, grpc.ServerCredentials.createInsecure(), "--xds-address");
    }

    let securePort: number | undefined;
    if (options.secure !== undefined && authority !== undefined) {
      const server = createGrpcServer();
      stops.push(() => stopGrpc(server, STOP_GRACE_MS));
      addAdsService(server, hooks, controlPlane, async (token) => {
        const answer = await authority.authenticate(token);
        return answer.ok ? { ok: true, identity: { ...answer.identity, pod: answer.identity.pod?.name } } : answer;
      });
      const certificates = createCertificateService({
        issuer: authority.issuer,
        authenticate: authority.authenticate,
        trustDomain: settings.trustDomain,
        onOutcome: ({ code, identity, message }) => {
          metrics.csrs++;
          if (code === grpc.status.OK) metrics.certificatesIssued++;
          if (code === grpc.status.UNAUTHENTICATED) metrics.authenticationFailures++;
          if (code === grpc.status.OK) log.info({ identity }, "certificate issued");
          else log.warn({ identity, code, reason: message }, "certificate refused");
        },
      });
      server.addService(certificates.definition, certificates.implementation);
      securePort = await bindGrpc(server, options.secure.address, toGrpcServerCredentials(authority.serverCertificate), "--secure-address");
    }

    // Last: its /ready says that everything above runs.
    let monitoringPort: number | undefined;
    if (options.monitoringAddress !== undefined) {
      const server = createMonitoringServer({
        isReady: () => true,
        version: () => VERSION,
        metrics: () => {
          const { snapshot } = pushes.cache;
          return metrics.render({
            services: snapshot.services.size,
            virtualServices: new Set([...snapshot.virtualServices.values()].flat()).size,
            connectedProxies: pushes.connections.size,
            problems: ingest.problems().length,
            rootExpirySeconds: authority === undefined ? undefined : Math.floor(authority.issuer.authority.notAfterMs / 1000),
          });
        },
        debug: {
          "/debug/problems": () => ingest.problems(),
          "/debug/syncz": () => syncStatus(pushes.connections, settings.clusterId),
          "/debug/registryz": () => [...pushes.cache.snapshot.services.values()].map((each) => ({ ...each, endpoints: Object.fromEntries(each.endpoints) })),
          "/debug/authenticationz": (query) => {
            const proxy = query.get("proxyID");
            const namespace = proxy === null ? undefined : namespaceOf(pushes, proxy);
            return namespace === undefined ? undefined : authenticationReport(pushes.cache.snapshot, namespace);
          },
        },
      });
      stops.push(() => closeHttp(server));
      monitoringPort = await listenHttp(server, options.monitoringAddress);
    }
    const snapshot = pushes.cache.snapshot;
    log.info(
      { xds: describe(options.xdsAddress, xdsPort), secure: describe(options.secure?.address, securePort), monitoring: describe(options.monitoringAddress, monitoringPort) },
      `serving ${snapshot.services.size} services`,
    );
    return { xdsPort, securePort, monitoringPort, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function startAuthority(options: ControllerOptions, secure: NonNullable<ControllerOptions["secure"]>): Promise<CertificateAuthority> {
  const { trustDomain, clusterDomain } = options.settings;
  const { authorityFolder, tokenKeysFile, tokenIssuer, serverNames } = secure;
  return startCertificateAuthority({
    trustDomain,
    clusterDomain,
    folder: authorityFolder,
    tokenKeysFile,
    tokenIssuer,
    serverNames,
    clock: options.clock,
    log: options.log,
  });
}

function adsHooks(pushes: PushCoordinator, metrics: ControlMetrics, log: Logger): AdsHooks<ProxyNode> {
  return {
    admit: (node, identity) => {
      const admission = admitProxy(node, identity);
      if (!admission.ok) log.warn({ node: node.id, reason: admission.reason }, "proxy refused");
      return admission;
    },
    resourcesFor: (proxy) => pushes.cache.resourcesFor(proxy),
    onConnected: (connection) => {
      pushes.connected(connection);
      log.info({ proxy: connection.proxy.id, peer: connection.peer }, "proxy connected");
    },
    onDisconnected: (connection) => {
      pushes.disconnected(connection);
      log.info({ proxy: connection.proxy.id }, "proxy disconnected");
    },
    onSent: (connection, typeUrl, resources) => {
      metrics.countPush(SHORT_TYPES[typeUrl] ?? "other");
      log.debug({ proxy: connection.proxy.id, type: SHORT_TYPES[typeUrl], resources }, "sent");
    },
    onRefused: (connection, typeUrl, message) => {
      metrics.countReject(SHORT_TYPES[typeUrl] ?? "other");
      log.error({ proxy: connection.proxy.id, type: SHORT_TYPES[typeUrl], reason: message }, "proxy refused its configuration");
    },
    onUnauthenticated: (peer, reason) => {
      metrics.authenticationFailures++;
      log.warn({ peer, reason }, "proxy not authenticated");
    },
  };
}

/** `<pod>.<namespace>`, of a connected proxy or a known pod. */
function namespaceOf(pushes: PushCoordinator, proxyId: string): string | undefined {
  for (const { proxy } of pushes.connections) if (`${proxy.pod}.${proxy.namespace}` === proxyId) return proxy.namespace;
  const dot = proxyId.lastIndexOf(".");
  const [pod, namespace] = [proxyId.slice(0, dot), proxyId.slice(dot + 1)];
  return pushes.cache.snapshot.workloads.has(`${namespace}/${pod}`) ? namespace : undefined;
}

function describe(address: HostPort | undefined, port: number | undefined): string | undefined {
  return address === undefined || port === undefined ? undefined : formatHostPort({ host: address.host, port });
}

function listenHttp(server: HttpServer, address: HostPort): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) => reject(bindError(error, address, "--monitoring-address")));
    server.listen(address.port, address.host, () => {
      const bound = server.address();
      resolve(typeof bound === "object" && bound !== null ? bound.port : address.port);
    });
  });
}

function closeHttp(server: HttpServer): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
