// One proxy process, composed in start order: counters, data plane, configuration, identity, DNS, admin. And its end.
import { formatAddress } from "../common/address.ts";
import type { Clock } from "../common/clock.ts";
import { UserError } from "../common/user-error.ts";
import { startAdmin, startPrometheusPort, type LogLevels } from "./admin/admin-server.ts";
import type { DataPlaneView, ServerState } from "./admin/data-plane-view.ts";
import { startReadinessPort } from "./admin/readiness-port.ts";
import type { BootstrapConfig } from "./config/bootstrap-config.ts";
import { EMPTY_PROXY_CONFIG, type ProxyConfig } from "./config/proxy-config.ts";
import { waitForIdle } from "./drain.ts";
import { collectWhenIdle } from "./idle-collection.ts";
import type { SidecarParts } from "./sidecar.ts";
import { connectXds } from "./state/ads-connection.ts";
import { startStatusPort } from "./status/status-port.ts";
import type { StatsReader } from "./telemetry/stats-reader.ts";
import { StatsStore } from "./telemetry/stats-store.ts";
import type { WorkloadFacts } from "./telemetry/workload-facts.ts";
import type { DataHalf, ListenFailure } from "./workers/data-half.ts";

/** In the bundle a file of its own beside the chunk that this is in. */
const WORKER_ENTRY = new URL(process.env.MESHCTL_WORKER ?? "./worker.ts", import.meta.url);

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
  /** Threads that carry traffic. With 1 it is this one; with more each is a worker beside this one. */
  readonly concurrency: number;
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
// Of the time to drain: what keeps a connection open without using it does not keep the process.
const IDLE_SHARE = 0.2;

export async function startProxy(options: ProxyOptions): Promise<RunningProxy> {
  const { bootstrap, log, sidecar } = options;
  const stats = new StatsStore();
  const { data, reader } = await makeDataHalf(options, stats);
  let current = EMPTY_PROXY_CONFIG;
  const phase = new Phase();
  const stops: (() => Promise<void> | void)[] = [collectWhenIdle()];
  const ended = Promise.withResolvers<void>();

  const stopNow = async (): Promise<void> => {
    for (const stop of stops.splice(0).reverse()) await stop();
    await data.stop();
    ended.resolve();
  };
  const stop = async (): Promise<void> => {
    phase.isStopping = true;
    log.info({ connections: await data.activeConnections(), atMostMs: options.drainTimeMs }, "draining");
    await data.drain({ inboundOnly: false, close: false, idleGraceMs: options.drainTimeMs * IDLE_SHARE });
    await waitForIdle(data, options.drainTimeMs);
    await sidecar?.appEnded();
    await stopNow();
  };

  const apply = async (config: ProxyConfig): Promise<readonly ListenFailure[]> => {
    current = config;
    const failures = await data.apply(config);
    phase.isConfigured = xds.state.isReady();
    await sayLive();
    return failures;
  };
  const sayLive = async (): Promise<void> => {
    if (!phase.becameLive()) return;
    const listeners = (await data.listeners()).map(({ name, ip, port }) => `${name} ${formatAddress(ip, port)}`);
    log.info({ listeners }, "proxy is live");
  };
  const report = (applied: Promise<readonly ListenFailure[]>): Promise<void> =>
    applied.then(
      (failures) => failures.forEach((each) => log.error({ listener: each.listener }, listenMessage(each))),
      (error: unknown) => log.error({}, `can't apply a configuration: ${error instanceof Error ? error.message : String(error)}`),
    );
  let firstFailures: Promise<readonly ListenFailure[]> | undefined;
  const xds = connectXds({
    bootstrap,
    wantsNames: sidecar !== undefined,
    clock: options.clock,
    onConfig: (config) => {
      const applied = apply(config);
      if (firstFailures === undefined) firstFailures = applied;
      else void report(applied);
    },
    log: (level, message) => log[level]({}, message),
  });
  const view = makeView(data, () => current, xds.state, phase, options, stopNow);

  try {
    xds.start();
    stops.push(() => xds.stop());
    // A static listener that can't be had is a mistake of whoever wrote the bootstrap; later ones are the control plane's.
    const [first] = await (firstFailures ??= Promise.resolve([]));
    if (first !== undefined)
      throw new UserError(listenMessage(first), "end the program that holds the port, or give the listener another one");
    let adminPort: number | undefined;
    if (bootstrap.admin !== undefined) {
      const admin = await startAdmin({
        address: bootstrap.admin,
        view,
        stats: reader,
        bootstrap: () => bootstrap.bytes,
        logging: options.logLevels,
        reopenLogs: () => data.reopenLogs(),
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
      const dns = await sidecar.startDns(() => current.names, stats);
      stops.push(() => dns.stop());
      const ready = await startReadinessPort(["0.0.0.0", "::"], sidecar.readyPort, view);
      stops.push(() => ready.stop());
      const prometheus = await startPrometheusPort(["0.0.0.0", "::"], sidecar.prometheusPort, reader);
      stops.push(() => prometheus.stop());
      const status = await startStatusPort(["0.0.0.0", "::"], sidecar.statusPort, { view, reader, store: stats, ...sidecar.app });
      stops.push(() => status.stop());
    }
    phase.hasStarted = true;
    await sayLive();
    return { ended: ended.promise, adminPort, view, stop, stopNow, reopenLogs: () => void data.reopenLogs() };
  } catch (error) {
    await stopNow();
    throw error;
  }
}

async function makeDataHalf(
  { concurrency, workload, clock, log }: ProxyOptions,
  stats: StatsStore,
): Promise<{ readonly data: DataHalf; readonly reader: StatsReader }> {
  const onLog = (level: "debug" | "warn" | "error", message: string, fields: object): void => log[level](fields, message);
  stats.plainScope("server").gauge("concurrency").set(concurrency);
  // What the other form would need is not even loaded.
  if (concurrency === 1) {
    const { DataPlane, dataHalfOf } = await import("./data-plane.ts");
    return { data: dataHalfOf(new DataPlane({ worker: { index: 0, count: 1 }, stats, workload, onLog })), reader: stats };
  }
  const { WorkerPool } = await import("./workers/worker-pool.ts");
  const pool = new WorkerPool({ count: concurrency, entry: WORKER_ENTRY, workload, clock, stats, onLog });
  return { data: pool, reader: pool.stats };
}

/** Where in its life the proxy is. */
class Phase {
  /** The bootstrap's own listeners are bound, and the proxy's other ports. */
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
  data: DataHalf,
  config: () => ProxyConfig,
  state: ReturnType<typeof connectXds>["state"],
  phase: Phase,
  options: ProxyOptions,
  stopNow: () => Promise<void>,
): DataPlaneView {
  const { bootstrap, drainTimeMs } = options;
  return {
    clusters: async () => {
      const hosts = await data.hosts();
      return [...config().clusters.values()].map((each) => ({
        config: each,
        addedViaApi: !bootstrap.statics.clusters.has(each.name),
        hosts: hosts.get(each.name) ?? [],
      }));
    },
    listeners: () => data.listeners(),
    memory: () => data.memory(),
    certificates: () =>
      [...config().secrets.values()].map((secret) => ({
        secretName: secret.name,
        kind: secret.kind,
        pem: secret.kind === "certificate" ? secret.chainPem : secret.rootsPem,
      })),
    resources: () => state.records(),
    versions: () => state.versions(),
    state: () => phase.state,
    drainListeners: async ({ inboundOnly, graceful, skipExit }) => {
      await data.drain({ inboundOnly, close: !graceful });
      if (graceful && !skipExit) void waitForIdle(data, drainTimeMs).then(() => data.drain({ inboundOnly, close: true }));
    },
    setHealthCheckFailed: (failed) => (phase.healthCheckFailed = failed),
    quit: () => void stopNow(),
  };
}

function listenMessage({ listener, host, port, code }: ListenFailure): string {
  return `listener ${listener} can't bind ${formatAddress(host, port)}: ${bindProblem(code)}`;
}

function bindProblem(code: string): string {
  switch (code) {
    case "EADDRINUSE":
      return "the port is in use";
    case "EACCES":
      return "not permitted (ports below 1024 need root or CAP_NET_BIND_SERVICE)";
    case "EADDRNOTAVAIL":
      return "this machine has no such address";
    default:
      return code;
  }
}
