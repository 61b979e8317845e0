// Scrapes a sidecar twice and prints what happened in between; or prints its raw statistics.
import { setTimeout as delay } from "node:timers/promises";
import type { AdminClient } from "../../cli/admin-client.ts";
import { askSidecar } from "../../cli/ask-mesh.ts";
import type { CommandContext } from "../../cli/command.ts";
import { isStructured, writeStructured } from "../../cli/output.ts";
import { startProgress } from "../../cli/progress.ts";
import { styleFor } from "../../cli/style.ts";
import { formatTable } from "../../cli/table.ts";
import { parseDurationMs } from "../../common/duration.ts";
import { USAGE_EXIT_CODE, UserError } from "../../common/user-error.ts";
import { parseConfigDump } from "./proxy-config/config-dump.ts";
import { goldenSignals, type GoldenSignals } from "./traffic/golden-signals.ts";
import { formatMs } from "./traffic/latency-text.ts";
import { growth, parseSamples, type Sample } from "./traffic/prometheus-text.ts";
import { isTrafficMetric } from "./traffic/traffic.ts";

const DEFAULT_WINDOW_MS = 5000;

export async function run(context: CommandContext): Promise<void> {
  const { raw, filter, sinceStart, window } = context.options;
  if (filter !== undefined && raw !== true)
    throw new UserError("--filter needs --raw", "the table has no statistics to filter", USAGE_EXIT_CODE);
  if (raw === true && sinceStart === true)
    throw new UserError("--raw and --since-start exclude each other", "--raw always counts since the start", USAGE_EXIT_CODE);
  const other = raw === true ? "--raw" : sinceStart === true ? "--since-start" : undefined;
  if (window !== undefined && other !== undefined)
    throw new UserError(`--window and ${other} exclude each other`, `${other} counts since the start, without watching`, USAGE_EXIT_CODE);
  const workload = context.args[0]!;
  await askSidecar(context, workload, (admin) =>
    raw === true ? printRaw(context, admin, filter as string | undefined) : printSignals(context, admin),
  );
}

async function printRaw(context: CommandContext, admin: AdminClient, filter: string | undefined): Promise<void> {
  const query = filter === undefined ? "" : `filter=${encodeURIComponent(filter)}`;
  if (!isStructured(context)) {
    context.stdout.write(await admin.get(query === "" ? "/stats" : `/stats?${query}`));
    return;
  }
  writeStructured(context, await admin.getJson(`/stats?format=json${query === "" ? "" : `&${query}`}`));
}

async function printSignals(context: CommandContext, admin: AdminClient): Promise<void> {
  const signals = await measure(context, admin);
  const rows = signals.map(toJson);
  if (writeStructured(context, rows)) return;
  const style = styleFor(context.stdout, context.env);
  const header = ["NAME", "MESHED", "SUCCESS", "RPS", "LATENCY_P50", "LATENCY_P95", "LATENCY_P99", "TCP_CONN"];
  const table = formatTable(header, signals.map(toCells), {
    padding: 3,
    alignRight: [1, 2, 3, 4, 5, 6, 7],
    paint: (text, row, column) => (column === 2 && (signals[row]?.success ?? 1) < 1 ? style.red(text) : text),
  });
  context.stdout.write(table);
  if (signals.every((each) => each.requests === 0)) {
    const window = context.options["sinceStart"] === true ? "since the sidecar started" : "in this window";
    context.stderr.write(
      `No requests ${window}.${context.options["sinceStart"] === true ? "" : " --since-start shows all that were counted; --window watches longer."}\n`,
    );
  }
}

async function measure(context: CommandContext, admin: AdminClient): Promise<GoldenSignals[]> {
  const sources = async () => ({
    clusters: parseConfigDump(await admin.get("/clusters?format=json"), "the sidecar's /clusters").clusterStatuses() ?? [],
    endpoints: parseConfigDump(await admin.get("/config_dump?include_eds"), "the sidecar's config dump").loadAssignments(),
  });
  if (context.options["sinceStart"] === true) {
    const now = await scrape(admin);
    const info = (await admin.getJson("/server_info")) as { uptime_current_epoch?: string };
    const uptimeMs = parseDurationMs(info.uptime_current_epoch ?? "") ?? 0;
    return goldenSignals({ window: now.samples, now: now.samples, windowSeconds: uptimeMs / 1000, ...(await sources()) });
  }
  const windowMs = (context.options["window"] as number | undefined) ?? DEFAULT_WINDOW_MS;
  const before = await scrape(admin);
  // A wait that is only worth watching: without a terminal nobody reads it.
  const progress = await startProgress(context.stderr, `watching for ${windowMs / 1000} s`, { quiet: true });
  await delay(windowMs);
  progress.stop();
  const after = await scrape(admin);
  const window = growth(before.samples, after.samples);
  return goldenSignals({ window, now: after.samples, windowSeconds: (after.atMs - before.atMs) / 1000, ...(await sources()) });
}

async function scrape(admin: AdminClient): Promise<{ samples: Sample[]; atMs: number }> {
  const text = await admin.get("/stats/prometheus");
  const isWanted = (name: string): boolean => isTrafficMetric(name) || name === "envoy_listener_downstream_cx_active";
  return { samples: parseSamples(text, isWanted), atMs: performance.now() };
}

function toCells(signals: GoldenSignals): string[] {
  const { meshed, success, rps, latencyMs, tcpConnections } = signals;
  return [
    signals.direction === "inbound" ? "inbound" : `outbound/${signals.service}`,
    meshed === undefined ? "-" : `${meshed.pods}/${meshed.total}`,
    success === undefined ? "-" : `${(success * 100).toFixed(2)}%`,
    rps === undefined ? "-" : `${rps.toFixed(1)}rps`,
    formatMs(latencyMs.p50),
    formatMs(latencyMs.p95),
    formatMs(latencyMs.p99),
    tcpConnections === undefined ? "-" : String(tcpConnections),
  ];
}

/** Keys as `linkerd viz stat -o json` names them. */
function toJson(signals: GoldenSignals): Record<string, unknown> {
  const { meshed, latencyMs } = signals;
  const round = (value: number | undefined): number | null => (value === undefined ? null : Number(value.toFixed(4)));
  return {
    direction: signals.direction,
    name: signals.direction === "inbound" ? "inbound" : signals.service,
    meshed: meshed === undefined ? null : `${meshed.pods}/${meshed.total}`,
    requests: signals.requests,
    success: round(signals.success),
    rps: round(signals.rps),
    latency_ms_p50: round(latencyMs.p50),
    latency_ms_p95: round(latencyMs.p95),
    latency_ms_p99: round(latencyMs.p99),
    tcp_open_connections: signals.tcpConnections ?? null,
  };
}
