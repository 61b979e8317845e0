// The admin port (15000) and the scrapers' port (15090). Everything that answers is loaded with the first connection.
import type { Server } from "node:http";
import { HistogramIntervals } from "../telemetry/histogram-intervals.ts";
import type { StatsReader } from "../telemetry/stats-reader.ts";
import type { DataPlaneView } from "./data-plane-view.ts";
import { listenHttp, listenOnAll } from "./listen.ts";
import type { ListeningPort } from "./listen.ts";

/** Log levels of the process, by logger, in Envoy's words: trace debug info warning error critical off. */
export interface LogLevels {
  levels(): ReadonlyMap<string, string>;
  /** The logger exists and the level is one of Envoy's; undefined: all loggers. */
  set(logger: string | undefined, level: string): void;
}

export interface AdminContext {
  readonly view: DataPlaneView;
  readonly stats: StatsReader;
  readonly intervals: HistogramIntervals;
  /** The bootstrap as the wire bytes of envoy.config.bootstrap.v3.Bootstrap; asked for by /config_dump and /server_info. */
  readonly bootstrap: () => Uint8Array;
  readonly logging: LogLevels;
  readonly reopenLogs: () => Promise<void>;
  /** ms since the epoch. */
  readonly startedAt: number;
  /** For /server_info: command_line_options, in Envoy's snake case names. */
  readonly commandLine: Readonly<Record<string, string | number | boolean>>;
}

export interface AdminOptions extends Omit<AdminContext, "intervals" | "startedAt"> {
  readonly address: { readonly host: string; readonly port: number };
}

export interface AdminServer extends ListeningPort {
  readonly intervals: HistogramIntervals;
}

// Envoy's stats_flush_interval.
const FLUSH_MS = 5000;

/**
 * Opens the admin port and begins to keep intervals of histograms.
 *
 * @throws UserError where the port can't be had.
 */
export async function startAdmin({ address, ...rest }: AdminOptions): Promise<AdminServer> {
  const intervals = new HistogramIntervals(rest.stats);
  const context: AdminContext = { ...rest, intervals, startedAt: Date.now() };
  const purpose = { what: "admin", remedy: "choose another admin port" };
  const listening = await listenHttp(address.host, address.port, purpose, async () => (await import("./admin-http.ts")).adminHttp(context));
  const timer = setInterval(() => intervals.flush(), FLUSH_MS).unref();
  return {
    port: listening.port,
    intervals,
    async stop() {
      clearInterval(timer);
      await listening.stop();
    },
  };
}

/** Opens the port that answers only GET /stats/prometheus: the one of the sidecar that others may reach. */
export function startPrometheusPort(hosts: readonly string[], port: number, stats: StatsReader): Promise<ListeningPort> {
  const purpose = { what: "Prometheus", remedy: "choose another Prometheus port" };
  const load = async (): Promise<Server> => (await import("./admin-http.ts")).prometheusHttp(stats);
  return listenOnAll(hosts, port, (host, chosen) => listenHttp(host, chosen, purpose, load));
}
