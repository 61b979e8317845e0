// Every admin command as data: path, whether it needs POST, help, and what answers it. Bodies and texts are Envoy's.
import { renderStatsJson } from "../telemetry/stats-json.ts";
import { renderPrometheus } from "../telemetry/stats-prometheus.ts";
import { parseStatsQuery } from "../telemetry/stats-query.ts";
import { renderStatsText } from "../telemetry/stats-text.ts";
import type { AdminContext } from "./admin-server.ts";
import { badRequest, json, text } from "./answer.ts";
import type { Answer } from "./answer.ts";
import { certificatesJson } from "./certificates-report.ts";
import { clustersJson, clustersText } from "./clusters-report.ts";
import { helpText, homePage } from "./help.ts";
import type { CommandParameter, CommandSummary } from "./help.ts";
import { logging } from "./logging.ts";
import { listenersJson, listenersText, memoryJson } from "./process-reports.ts";

export interface Command extends CommandSummary {
  readonly run: (context: AdminContext, query: URLSearchParams) => Answer | Promise<Answer>;
}

const OK = text("OK\n");

const FORMAT: CommandParameter = { name: "format", help: "form of the answer", oneOf: ["text", "json"] };
const STATS_SELECTION: readonly CommandParameter[] = [
  { name: "usedonly", help: "only what has been counted since the start" },
  { name: "filter", help: "RE2 pattern that a part of the name must match" },
];

function read(help: string, run: Command["run"], parameters: readonly CommandParameter[] = []): Command {
  return { post: false, help, parameters, run };
}

/** A command that changes something and then says OK. */
function change(
  help: string,
  act: (context: AdminContext, query: URLSearchParams) => void | Promise<void>,
  parameters: readonly CommandParameter[] = [],
): Command {
  return {
    post: true,
    help,
    parameters,
    async run(context, query) {
      await act(context, query);
      return OK;
    },
  };
}

async function stats({ stats: reader, intervals }: AdminContext, query: URLSearchParams): Promise<Answer> {
  const parsed = parseStatsQuery(query);
  if (!parsed.ok) return badRequest(parsed.problems[0]!.message);
  await reader.settle();
  switch (parsed.value.format) {
    case "text":
      return text(renderStatsText(reader, intervals, parsed.value));
    case "json":
      return { ...text(renderStatsJson(reader, intervals, parsed.value)), type: "application/json" };
    case "prometheus":
      return text(renderPrometheus(reader, parsed.value));
  }
}

function prometheus(context: AdminContext, query: URLSearchParams): Promise<Answer> {
  const asked = new URLSearchParams(query);
  asked.set("format", "prometheus");
  return stats(context, asked);
}

function ready({ view }: AdminContext): Answer {
  const state = view.state();
  return { ...text(`${state}\n`), status: state === "LIVE" ? 200 : 503 };
}

const drainListeners: Command = {
  post: true,
  help: "drain listeners",
  parameters: [
    { name: "graceful", help: "let streams end before listeners close" },
    { name: "skip_exit", help: "go on when draining is over; with graceful only" },
    { name: "inboundonly", help: "inbound listeners only" },
  ],
  async run({ view }, query) {
    const options = { inboundOnly: query.has("inboundonly"), graceful: query.has("graceful"), skipExit: query.has("skip_exit") };
    if (options.skipExit && !options.graceful) return badRequest("skip_exit requires graceful\n");
    await view.drainListeners(options);
    return OK;
  },
};

const quit: Command = {
  post: true,
  help: "exit the server",
  parameters: [],
  run: ({ view }) => ({ ...OK, afterwards: () => view.quit() }),
};

async function clusters({ view }: AdminContext, query: URLSearchParams): Promise<Answer> {
  const all = await view.clusters();
  return query.get("format") === "json" ? json(clustersJson(all)) : text(clustersText(all));
}

async function listeners({ view }: AdminContext, query: URLSearchParams): Promise<Answer> {
  const all = await view.listeners();
  return query.get("format") === "json" ? json(listenersJson(all)) : text(listenersText(all));
}

export const COMMANDS: ReadonlyMap<string, Command> = new Map<string, Command>([
  ["/", read("this page", () => ({ ...text(homePage(COMMANDS)), type: "text/html; charset=UTF-8" }))],
  ["/certs", read("certificates in use", ({ view }) => json(certificatesJson(view.certificates(), Date.now())))],
  ["/clusters", read("upstream clusters and their hosts", clusters, [FORMAT])],
  [
    "/config_dump",
    read("the configuration in use", async (context, query) => (await import("./config-dump.ts")).configDump(context, query), [
      { name: "resource", help: "only this repeated field, as dynamic_active_clusters" },
      { name: "mask", help: "comma separated fields to keep" },
      { name: "name_regex", help: "RE2 pattern that a resource's whole name must match" },
      { name: "include_eds", help: "with endpoints" },
    ]),
  ],
  ["/drain_listeners", drainListeners],
  ["/healthcheck/fail", change("make /ready and health checks fail", ({ view }) => view.setHealthCheckFailed(true))],
  ["/healthcheck/ok", change("let /ready and health checks pass again", ({ view }) => view.setHealthCheckFailed(false))],
  ["/help", read("this text", () => text(helpText(COMMANDS)))],
  ["/listeners", read("addresses that are listened on", listeners, [FORMAT])],
  [
    "/logging",
    {
      post: true,
      help: "log levels, and changing them",
      parameters: [
        { name: "level", help: "level of all loggers" },
        { name: "paths", help: "logger:level pairs, comma separated" },
        { name: "<logger>", help: "level of this logger" },
      ],
      run: ({ logging: levels }, query) => logging(levels, query),
    },
  ],
  ["/memory", read("memory of the process", async ({ view }) => json(memoryJson(await view.memory())))],
  ["/quitquitquit", quit],
  ["/ready", read("200 when LIVE, else 503", ready)],
  ["/reopen_logs", change("reopen access logs", ({ reopenLogs }) => reopenLogs())],
  ["/reset_counters", change("set all counters to zero", ({ stats: reader }) => reader.resetCounters())],
  ["/server_info", read("version, state and node", async (context) => (await import("./server-info.ts")).serverInfo(context))],
  [
    "/stats",
    read("counters, gauges and histograms", stats, [
      ...STATS_SELECTION,
      { name: "format", help: "form of the answer", oneOf: ["text", "json", "prometheus"] },
      { name: "type", help: "kind of values", oneOf: ["All", "Counters", "Gauges", "Histograms", "TextReadouts"] },
      { name: "histogram_buckets", help: "form of histograms", oneOf: ["cumulative", "disjoint", "detailed", "none", "summary"] },
    ]),
  ],
  ["/stats/prometheus", read("the same for Prometheus", prometheus, STATS_SELECTION)],
]);
