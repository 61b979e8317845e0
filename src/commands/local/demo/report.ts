// What the demo prints: the calls, the version split, the identities, and what to try next.
import Table from "cli-table3";
import type { CommandContext } from "../../../cli/command.ts";
import { styleFor } from "../../../cli/style.ts";
import { formatTable } from "../../../cli/table.ts";
import { formatMs } from "../../inspect/traffic/latency-text.ts";
import type { Edge } from "./call-graph.ts";

const BAR_WIDTH = 30;

/** The whole report, ended by a line feed. */
export function renderReport(context: CommandContext, edges: readonly Edge[]): string {
  return [renderCalls(context, edges), renderSplit(edges), renderIdentities(edges)].filter((each) => each !== "").join("\n");
}

const HEADER = ["FROM", "TO", "REQUESTS", "SUCCESS", "P50", "P99", "MTLS"];

/** Boxed on a terminal, plain elsewhere. */
function renderCalls(context: CommandContext, edges: readonly Edge[]): string {
  const style = styleFor(context.stdout, context.env);
  const rows = edges.map((edge) => {
    const isEncrypted = edge.mutualTls === edge.requests;
    const success = (edge.requests - edge.failures) / edge.requests;
    return {
      cells: [
        edge.from,
        edge.version === "" || edge.version === "unknown" ? edge.service : `${edge.service} ${edge.version}`,
        String(edge.requests),
        `${(success * 100).toFixed(success === 1 ? 0 : 2)}%`,
        formatMs(edge.p50Ms),
        formatMs(edge.p99Ms),
        isEncrypted ? "yes" : "NO",
      ],
      success,
      isEncrypted,
    };
  });
  if (context.stdout.isTTY !== true) {
    return formatTable(
      HEADER,
      rows.map((row) => row.cells),
      { padding: 3, alignRight: [2, 3, 4, 5] },
    );
  }
  const table = new Table({
    head: HEADER,
    colAligns: ["left", "left", "right", "right", "right", "right", "left"],
    style: { head: [], border: [], "padding-left": 1, "padding-right": 1, compact: true },
  });
  for (const { cells, success, isEncrypted } of rows) {
    const [from, to, requests, rate, p50, p99, tls] = cells;
    table.push([
      from,
      to,
      requests,
      success === 1 ? style.green(rate) : style.red(rate),
      p50,
      p99,
      isEncrypted ? style.green(tls) : style.red(tls),
    ]);
  }
  return `${table.toString()}\n`;
}

/** A bar for each version of the services that have several. */
function renderSplit(edges: readonly Edge[]): string {
  const services = Map.groupBy(edges, (edge) => edge.service);
  const lines = [...services].flatMap(([service, calls]) => {
    const versions = Map.groupBy(calls, (edge) => edge.version);
    if (versions.size < 2) return [];
    const total = calls.reduce((sum, edge) => sum + edge.requests, 0);
    return [...versions]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([version, group]) => {
        const share = group.reduce((sum, edge) => sum + edge.requests, 0) / total;
        const bar = "█".repeat(Math.max(1, Math.round(share * BAR_WIDTH))).padEnd(BAR_WIDTH, "░");
        return `  ${`${service} ${version}`.padEnd(15)} ${bar} ${(share * 100).toFixed(1)}%`;
      });
  });
  return lines.length === 0 ? "" : `Version split:\n${lines.join("\n")}\n`;
}

function renderIdentities(edges: readonly Edge[]): string {
  const identities = new Map<string, string>();
  for (const edge of edges) {
    if (edge.fromIdentity !== "") identities.set(edge.from, edge.fromIdentity);
    if (edge.toIdentity !== "") identities.set(edge.to, edge.toIdentity);
  }
  if (identities.size === 0) return "";
  const lines = [...identities].map(([workload, identity]) => `  ${workload.padEnd(15)} ${identity}\n`);
  return `Identities, proved to each other with certificates:\n${lines.join("")}`;
}

/**
 * @param program how this program is called here: `meshctl` or `bin/meshctl`.
 * @param mesh the mesh's name where several run, so that commands must say which.
 */
export function renderNextSteps(program: string, url: string, source: string, mesh: string | undefined): string {
  const name = mesh === undefined ? "" : ` --name ${mesh}`;
  const steps = [
    [`curl ${url}/`, "one request, hop by hop"],
    [`${program} stats checkout${name}`, "its golden signals"],
    [`${program} proxy-config cluster checkout${name}`, "as in istioctl"],
    [`${program} tls-check frontend${name}`, "who must prove what"],
    [`${program} local status${name}`, "pods and sidecars"],
    [`$EDITOR ${source}`, "edit weights, traffic follows"],
  ] as const;
  const width = Math.max(...steps.map(([command]) => command.length));
  return `Try in another terminal:\n${steps.map(([command, what]) => `  ${command.padEnd(width)}   ${what}\n`).join("")}`;
}
