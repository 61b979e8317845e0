// One proxy process, composed in start order: counters, data plane, configuration, identity, DNS, admin. And its end.
import { formatAddress } from "../common/address.ts";
import type { Clock } from "../common/clock.ts";
import { UserError } from "../common/user-error.ts";
import { startAdmin, startPrometheusPort, type LogLevels } from "./admin/admin-server.ts";
import type { DataPlaneView, ServerState } from "./admin/data-plane-view.ts";
import { startReadinessPort } from "./admin/readiness-port.ts";
import type { BootstrapConfig } from "./config/bootstrap-config.ts";
import type { ProxyConfig } from "./config/proxy-config.ts";
import { DataPlane, type ListenFailure } from "./data-plane.ts";
import { waitForIdle } from "./drain.ts";
import type { SidecarParts } from "./sidecar.ts";
import { connectXds } from "./state/ads-connection.ts";
import { StatsStore } from "./telemetry/stats-store.ts";
import type { WorkloadFacts } from "./telemetry/workload-facts.ts";

export interface ProxyLog {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export interface ProxyOptions {
  readonly bootstrap: BootstrapConfig;
  readonly workload: WorkloadFacts;
  readonly clock: Clock;
  readonly log: ProxyLog;
  readonly logLevels: LogLevels;
  readonly commandLine: Readonly<Record<string, string | number | boolean>>;
  /** How long open requests may take to end after a signal. */
  readonly drainTimeMs: number;
  /** What only the sidecar form has; undefined for a proxy with a bootstrap file. */
  readonly sidecar: SidecarParts | undefined;
}

export interface RunningProxy {
  /** Resolves when the proxy has ended by itself (/quitquitquit) or was stopped. */
  readonly ended: Promise<void>;
  readonly adminPort: number | undefined;
  readonly view: DataPlaneView;
  /** Drains and stops. */
  stop(): Promise<void>;
  stopNow(): Promise<void>;
  reopenLogs(): void;
}

/**
 * Resolves when the ports of the proxy itself and of its static listeners are open; LIVE comes with the first whole
 * configuration and, for a sidecar, its first certificate.
 * @throws UserError where one of those ports can't be had; nothing is left open.
 */
export async function startProxy(options: ProxyOptions): Promise<RunningProxy> {
  const { bootstrap, log, sidecar } = options;
  const stats = new StatsStore();
  const plane = new DataPlane({ stats, workload: options.workload, onLog: (level, message, fields) => log[level](fields, message) });
  const phase = new Phase();
  const stops: (() => Promise<void> | void)[] = [];
  const ended = Promise.withResolvers<void>();

  const stopNow = async (): Promise<void> => {
    for (const stop of stops.splice(0).reverse()) await stop();
    await plane.stop();
    ended.resolve();
  };
  const stop = async (): Promise<void> => {
    phase.isStopping = true;
    log.info({ connections: plane.activeConnections, atMostMs: options.drainTimeMs }, "draining");
    plane.drain({ inboundOnly: false, close: false });
    await waitForIdle(plane, options.drainTimeMs);
    await stopNow();
  };

  const apply = async (config: ProxyConfig): Promise<readonly ListenFailure[]> => {
    const failures = await plane.apply(config);
    phase.isConfigured = xds.state.isReady();
    sayLive();
    return failures;
  };
  const sayLive = (): void => {
    if (phase.becameLive())
      log.info({ listeners: plane.listenerStatuses().map(({ name, ip, port }) => `${name} ${ip}:${port}`) }, "proxy is live");
  };
  let firstFailures: Promise<readonly ListenFailure[]> | undefined;
  const xds = connectXds({
    bootstrap,
    wantsNames: sidecar !== undefined,
    clock: options.clock,
    onConfig: (config) => {
      const applied = apply(config);
      if (firstFailures === undefined) firstFailures = applied;
      else void applied.then((failures) => failures.forEach((each) => log.error({ listener: each.name }, listenMessage(each))));
    },
    log: (level, message) => log[level]({}, message),
  });
  const view = makeView(plane, xds.state, phase, options, stopNow);

  try {
    xds.start();
    stops.push(() => xds.stop());
    // A static listener that can't be had is a mistake of whoever wrote the bootstrap; later ones are the control plane's.
    const [first] = (await firstFailures) ?? [];
    if (first !== undefined)
      throw new UserError(listenMessage(first), "end the program that holds the port, or give the listener another one");
    phase.hasStarted = true;
    sayLive();
    let adminPort: number | undefined;
    if (bootstrap.admin !== undefined) {
      const admin = await startAdmin({
        address: bootstrap.admin,
        view,
        stats,
        bootstrap: () => bootstrap.bytes,
        logging: options.logLevels,
        reopenLogs: () => plane.reopenLogs(),
        commandLine: options.commandLine,
      });
      stops.push(() => admin.stop());
      adminPort = admin.port;
    }
    if (sidecar !== undefined) {
      phase.awaitsCertificate = true;
      const onSecrets: Parameters<SidecarParts["startIdentity"]>[0] = (secrets) => {
        phase.awaitsCertificate = false;
        xds.state.setSecrets(secrets);
      };
      stops.push(sidecar.startIdentity(onSecrets));
      const dns = await sidecar.startDns(() => plane.names(), stats);
      stops.push(() => dns.stop());
      const ready = await startReadinessPort(["0.0.0.0", "::"], sidecar.readyPort, view);
      stops.push(() => ready.stop());
      const prometheus = await startPrometheusPort(["0.0.0.0", "::"], sidecar.prometheusPort, stats);
      stops.push(() => prometheus.stop());
    }
    return { ended: ended.promise, adminPort, view, stop, stopNow, reopenLogs: () => plane.reopenLogs() };
  } catch (error) {
    await stopNow();
    throw error;
  }
}

/** Where in its life the proxy is. */
class Phase {
  /** The bootstrap's own listeners are bound. */
  hasStarted = false;
  isConfigured = false;
  awaitsCertificate = false;
  isStopping = false;
  healthCheckFailed = false;
  #wasLive = false;

  get state(): ServerState {
    if (this.isStopping || this.healthCheckFailed) return "DRAINING";
    return this.isConfigured && !this.awaitsCertificate ? "LIVE" : "INITIALIZING";
  }

  /** True once. */
  becameLive(): boolean {
    if (this.#wasLive || !this.hasStarted || this.state !== "LIVE") return false;
    this.#wasLive = true;
    return true;
  }
}

function makeView(
  plane: DataPlane,
  state: ReturnType<typeof connectXds>["state"],
  phase: Phase,
  options: ProxyOptions,
  stopNow: () => Promise<void>,
): DataPlaneView {
  const { bootstrap, drainTimeMs } = options;
  return {
    clusters: () => plane.clusterStatuses((name) => bootstrap.statics.clusters.has(name)),
    listeners: () => plane.listenerStatuses(),
    certificates: () =>
      [...plane.secrets().values()].map((secret) => ({
        secretName: secret.name,
        kind: secret.kind,
        pem: secret.kind === "certificate" ? secret.chainPem : secret.rootsPem,
      })),
    resources: () => state.records(),
    versions: () => state.versions(),
    state: () => phase.state,
    drainListeners: ({ inboundOnly, graceful, skipExit }) => {
      plane.drain({ inboundOnly, close: !graceful });
      if (graceful && !skipExit) void waitForIdle(plane, drainTimeMs).then(() => plane.drain({ inboundOnly, close: true }));
    },
    setHealthCheckFailed: (failed) => (phase.healthCheckFailed = failed),
    quit: () => void stopNow(),
  };
}

function listenMessage({ name, config, error }: ListenFailure): string {
  const { host, port } = config.address;
  return `listener ${name} can't bind ${formatAddress(host, port)}: ${bindProblem(error)}`;
}

function bindProblem(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case "EADDRINUSE":
      return "the port is in use";
    case "EACCES":
      return "not permitted (ports below 1024 need root or CAP_NET_BIND_SERVICE)";
    case "EADDRNOTAVAIL":
      return "this machine has no such address";
    default:
      return error.code ?? error.message;
  }
}
