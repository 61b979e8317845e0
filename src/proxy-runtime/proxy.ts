// One proxy process, composed in start order: counters, data plane, identity, configuration, DNS, admin. And its end.
import { UserError } from "../common/user-error.ts";
import { startAdmin, startPrometheusPort, type LogLevels } from "./admin/admin-server.ts";
import type { DataPlaneView, ServerState } from "./admin/data-plane-view.ts";
import { startReadinessPort } from "./admin/readiness-port.ts";
import type { BootstrapConfig } from "./config/bootstrap-config.ts";
import { DataPlane, type ListenFailure } from "./data-plane.ts";
import { waitForIdle } from "./drain.ts";
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
  readonly log: ProxyLog;
  readonly logLevels: LogLevels;
  readonly commandLine: Readonly<Record<string, string | number | boolean>>;
  /** How long open requests may take to end after a signal. */
  readonly drainTimeMs: number;
  /** What only the sidecar form has; undefined for a proxy with a bootstrap file. */
  readonly sidecar: { readonly readyPort: number; readonly prometheusPort: number } | undefined;
}

export interface RunningProxy {
  /** Resolves when the proxy has ended by itself (/quitquitquit). */
  readonly ended: Promise<void>;
  readonly adminPort: number | undefined;
  /** Drains and stops. */
  stop(): Promise<void>;
  stopNow(): Promise<void>;
  reopenLogs(): void;
}

/** @throws UserError where a port of the static configuration or of the proxy itself can't be had; nothing is left open. */
export async function startProxy(options: ProxyOptions): Promise<RunningProxy> {
  const { bootstrap, log } = options;
  const stats = new StatsStore();
  const plane = new DataPlane({ stats, workload: options.workload, onLog: (level, message, fields) => log[level](fields, message) });
  const stops: (() => Promise<void> | void)[] = [];
  let state: ServerState = "INITIALIZING";
  let healthCheckFailed = false;
  let end!: () => void;
  const ended = new Promise<void>((resolve) => (end = resolve));

  const stopNow = async (): Promise<void> => {
    for (const stop of stops.splice(0).reverse()) await stop();
    await plane.stop();
    end();
  };
  const stop = async (): Promise<void> => {
    state = "DRAINING";
    plane.drain({ inboundOnly: false, close: false });
    await waitForIdle(plane, options.drainTimeMs);
    await stopNow();
  };
  const view: DataPlaneView = {
    clusters: () => plane.clusterStatuses(),
    listeners: () => plane.listenerStatuses(),
    certificates: () => [...plane.secrets().values()].map((secret) =>
      secret.kind === "certificate"
        ? { secretName: secret.name, kind: secret.kind, pem: secret.chainPem }
        : { secretName: secret.name, kind: secret.kind, pem: secret.rootsPem },
    ),
    resources: () => bootstrap.records,
    versions: () => new Map(),
    state: () => (healthCheckFailed ? "DRAINING" : state),
    drainListeners: ({ inboundOnly, graceful, skipExit }) => {
      plane.drain({ inboundOnly, close: !graceful });
      if (graceful && !skipExit) void waitForIdle(plane, options.drainTimeMs).then(() => plane.drain({ inboundOnly, close: true }));
    },
    setHealthCheckFailed: (failed) => (healthCheckFailed = failed),
    quit: () => void stopNow(),
  };

  try {
    refuseOnFailure(await plane.apply(bootstrap.statics));
    let adminPort: number | undefined;
    if (bootstrap.admin !== undefined) {
      const { address, commandLine, logLevels } = { address: bootstrap.admin, ...options };
      const admin = await startAdmin({ address, view, stats, bootstrap: () => bootstrap.bytes, logging: logLevels, reopenLogs: () => plane.reopenLogs(), commandLine });
      stops.push(() => admin.stop());
      adminPort = admin.port;
    }
    if (options.sidecar !== undefined) {
      const ready = await startReadinessPort(["0.0.0.0", "::"], options.sidecar.readyPort, view);
      stops.push(() => ready.stop());
      const prometheus = await startPrometheusPort("0.0.0.0", options.sidecar.prometheusPort, stats);
      stops.push(() => prometheus.stop());
    }
    state = "LIVE";
    log.info({ listeners: plane.listenerStatuses().map(({ name, ip, port }) => `${name} ${ip}:${port}`), admin: adminPort }, "proxy is live");
    return { ended, adminPort, stop, stopNow, reopenLogs: () => plane.reopenLogs() };
  } catch (error) {
    await stopNow();
    throw error;
  }
}

/** A static listener that can't be had is a mistake of whoever wrote the bootstrap. */
function refuseOnFailure(failures: readonly ListenFailure[]): void {
  const [first] = failures;
  if (first === undefined) return;
  const { host, port } = first.config.address;
  throw new UserError(`listener ${first.name} can't bind ${host}:${port}: ${bindProblem(first.error)}`, "end the program that holds the port, or give the listener another one");
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
