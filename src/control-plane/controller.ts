// The control plane as one process: sources → ingest → registry → push → ADS, with the CA beside it on the secure port
// and the monitoring port. Read top to bottom: this is the order in which things start; they stop in reverse.
import * as grpc from "@grpc/grpc-js";
import { formatHostPort } from "../common/address.ts";
import type { HostPort } from "../common/address.ts";
import type { Clock } from "../common/clock.ts";
import type { Logger } from "../common/log.ts";
import { VERSION } from "../common/version.ts";
import { addAdsService } from "../xds/ads-server.ts";
import { ControlMetrics } from "./admin/control-metrics.ts";
import { serveMonitoring } from "./admin/monitoring-server.ts";
import { monitoringViews } from "./admin/monitoring-views.ts";
import { createElection } from "./cluster/cluster-membership.ts";
import type { ClusterOptions } from "./cluster/cluster-membership.ts";
import { TrustBundles } from "./cluster/trust-bundles.ts";
import { startCertificateAuthority } from "./certificate-authority.ts";
import { bindGrpc, createGrpcServer, stopGrpc } from "./grpc-listener.ts";
import type { ListeningServer } from "./grpc-listener.ts";
import { Ingest } from "./ingest/ingest.ts";
import { formatConfigProblem } from "./ingest/raw-object.ts";
import { adsHooks } from "./push/ads-hooks.ts";
import { drainStreams } from "./push/drain-streams.ts";
import { PushCoordinator } from "./push/push-coordinator.ts";
import { StreamAges } from "./push/stream-ages.ts";
import { Registry } from "./registry/registry.ts";
import type { MeshSettings } from "./registry/mesh-snapshot.ts";
import { serveSecurePort } from "./secure-port.ts";
import type { Source } from "./sources/source.ts";
import { ClusterDuties } from "./webhook/cluster-duties.ts";
import { startWebhooks } from "./webhook/webhooks.ts";

export interface SecureOptions {
  readonly address: HostPort;
  /** undefined: the cluster's Secret, or without a cluster a root that lives as long as the process. */
  readonly authorityFolder: string | undefined;
  /** undefined: the cluster's API server is asked about tokens. */
  readonly tokenKeysFile: string | undefined;
  readonly tokenIssuer: string;
  /** Further names and addresses for the serving certificate. */
  readonly serverNames: readonly string[];
  /** Longest life of a workload's certificate in seconds; undefined: what sidecars wish, within the CA's limits. */
  readonly workloadTtlS?: number;
}

export interface WebhookOptions {
  readonly address: HostPort;
  /** Of what is injected. */
  readonly sidecarImage: string;
}

export interface ControllerOptions {
  readonly settings: MeshSettings;
  /** A later source has the last word on an object. */
  readonly sources: readonly Source[];
  /** Plaintext, without authentication; undefined: none. */
  readonly xdsAddress: HostPort | undefined;
  /** TLS, for proxies that show a token; undefined: none. */
  readonly secure: SecureOptions | undefined;
  /** Of which it is one of several controllers; undefined: it reads files. */
  readonly cluster: ClusterOptions | undefined;
  /** For the API server of the cluster; undefined: none. Needs the secure port, whose CA signs for it. */
  readonly webhooks?: WebhookOptions | undefined;
  readonly monitoringAddress: HostPort | undefined;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface Controller {
  /** Ports as bound, for those that were 0. */
  readonly xdsPort: number | undefined;
  readonly securePort: number | undefined;
  readonly monitoringPort: number | undefined;
  stop(): Promise<void>;
}

/** @throws UserError when an address is taken or the CA's files can't be used; then nothing is left running. */
export async function startController(options: ControllerOptions): Promise<Controller> {
  const { settings, sources, secure, cluster, clock, log } = options;
  const stops: (() => Promise<void> | void)[] = [];
  let isDraining = false;
  const stop = async (): Promise<void> => {
    isDraining = true;
    for (const each of stops.splice(0).reverse()) await each();
  };
  const listening = (server: ListeningServer): number => {
    stops.push(() => server.stop());
    return server.port;
  };
  try {
    // First, because a bad key file ends the process before anybody has connected.
    const metrics = new ControlMetrics(VERSION);
    const authority =
      secure === undefined ? undefined : await startCertificateAuthority({ ...secure, ...settings, cluster, metrics, clock, log });
    if (authority !== undefined) stops.push(() => authority.serverCertificate.stop());

    const registry = new Registry(settings);
    const ingest = new Ingest(registry, {
      onProblem: (problem) => log.warn(problem, `not applied: ${formatConfigProblem(problem)}`),
      onSolved: (problem) =>
        log.info({ file: problem.file, object: problem.object }, `no longer a problem: ${formatConfigProblem(problem)}`),
    });
    const pushes = new PushCoordinator({
      clock,
      snapshot: () => registry.snapshot(),
      onConverged: (elapsedMs) => metrics.observeConvergence(elapsedMs / 1000),
      onError: (connection, error) => log.error({ proxy: connection.proxy.id, error: String(error) }, "push failed"),
    });
    stops.push(() => pushes.stop());
    const duties = cluster === undefined ? undefined : new ClusterDuties(cluster.connection, clock, log);
    if (duties !== undefined) stops.push(() => duties.stop());
    duties?.start();

    // Before the listeners, so that the first proxy is told the whole mesh and not half of it.
    for (const [index, source] of sources.entries()) {
      stops.push(() => source.stop());
      await source.start((changes) => {
        ingest.apply(index, changes);
        pushes.changed();
        duties?.apply(changes);
      });
    }
    pushes.pushNow();

    const hooks = adsHooks(pushes, metrics, log, cluster === undefined ? undefined : new StreamAges(clock));
    const controlPlane = JSON.stringify({ Component: "meshctl", Info: { version: VERSION } });
    const xdsPort =
      options.xdsAddress === undefined ? undefined : listening(await servePlaintextXds(options.xdsAddress, hooks, controlPlane));
    const securePort =
      secure === undefined || authority === undefined
        ? undefined
        : listening(
            await serveSecurePort({
              address: secure.address,
              authority,
              trustDomain: settings.trustDomain,
              hooks,
              controlPlane,
              metrics,
              log,
            }),
          );
    const webhooks =
      options.webhooks === undefined || cluster === undefined || authority === undefined || duties === undefined
        ? undefined
        : await startWebhooks({ ...options.webhooks, settings, authority, registry, duties, connection: cluster.connection, clock, log });
    if (webhooks !== undefined) listening(webhooks);
    // Last: its /ready says that everything above runs.
    const isReady = (): boolean => !isDraining && webhooks?.isReady() !== false;
    const rootExpiryMs = authority?.issuer.authority.notAfterMs;
    const views = monitoringViews({ ingest, pushes, metrics, rootExpiryMs, isReady, more: () => duties?.metrics.render() ?? "" });
    const monitoringPort =
      options.monitoringAddress === undefined ? undefined : listening(await serveMonitoring(views, options.monitoringAddress));

    // While it leaves, nobody is sent here any more and everybody who is here is sent away, before anything ends.
    if (cluster !== undefined) stops.push(() => drainStreams(pushes.connections, clock));
    if (cluster !== undefined && authority !== undefined) {
      const election = createElection(cluster, settings.rootNamespace, clock, log);
      const { rootsPem } = authority.issuer.authority;
      const bundles = new TrustBundles({
        ...cluster,
        leadership: election,
        namespace: settings.rootNamespace,
        rootsPem,
        metrics,
        clock,
        log,
      });
      stops.push(() => bundles.stop());
      duties?.followLeadership(election);
      election.start();
      stops.push(() => election.stop());
    }

    const addresses = {
      xds: describe(options.xdsAddress, xdsPort),
      secure: describe(secure?.address, securePort),
      webhooks: describe(options.webhooks?.address, webhooks?.port),
      monitoring: describe(options.monitoringAddress, monitoringPort),
    };
    if (options.xdsAddress !== undefined && !isLoopback(options.xdsAddress.host)) {
      log.warn({ xds: addresses.xds }, "the plaintext xDS port is open to other machines, and asks nobody who they are");
    }
    log.info(addresses, `serving ${pushes.cache.snapshot.services.size} services`);
    return { xdsPort, securePort, monitoringPort, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function servePlaintextXds(address: HostPort, hooks: ReturnType<typeof adsHooks>, controlPlane: string): Promise<ListeningServer> {
  const server = createGrpcServer();
  addAdsService(server, hooks, controlPlane, undefined);
  const port = await bindGrpc(server, address, grpc.ServerCredentials.createInsecure(), "--xds-address");
  return { port, stop: () => stopGrpc(server) };
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || host.startsWith("127.");
}

function describe(address: HostPort | undefined, port: number | undefined): string | undefined {
  return address === undefined || port === undefined ? undefined : formatHostPort({ host: address.host, port });
}
