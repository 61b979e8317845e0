// One scrape of 15020: the sidecar's own metrics and behind them the application's, in one format. An application that
// fails costs its own part only. Loaded with the first scrape.
import { renderPrometheus } from "../telemetry/stats-prometheus.ts";
import { parseStatsQuery } from "../telemetry/stats-query.ts";
import type { StatsReader } from "../telemetry/stats-reader.ts";
import type { StatsStore } from "../telemetry/stats-store.ts";
import { formatAddress } from "../../common/address.ts";
import { badRequest, type Answer } from "../admin/answer.ts";
import type { PlainRequest } from "../admin/answer-once.ts";
import { ownAddress } from "./app-probe.ts";
import type { ScrapeTarget } from "./app-probers.ts";
import { plainRequest } from "./plain-request.ts";

export interface MetricSources {
  readonly reader: StatsReader;
  readonly store: StatsStore;
  readonly targets: readonly ScrapeTarget[];
  readonly podIp: string;
}

const MAX_SCRAPE_BYTES = 64 << 20;
// Prometheus' default; it tells its own in a header.
const SCRAPE_TIMEOUT_MS = 10_000;
// The rest of the time is for the answer's way back.
const SCRAPE_SHARE = 0.9;

const TEXT = "text/plain; version=0.0.4; charset=utf-8";
const OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8";

interface Scraped {
  readonly isOpenMetrics: boolean;
  readonly body: string;
}

export async function mergedMetrics(request: PlainRequest, { reader, store, targets, podIp }: MetricSources): Promise<Answer> {
  const parsed = parseStatsQuery(request.query);
  if (!parsed.ok) return badRequest(parsed.problems[0]!.message);
  const takesOpenMetrics = request.headers.get("accept")?.includes("application/openmetrics-text") === true;
  // Two applications in one pod may each speak another format: then the one that all of them have.
  const accept = takesOpenMetrics && targets.length === 1 ? `${OPEN_METRICS.replaceAll("; ", ";")},${TEXT_ONLY};q=0.5` : TEXT_ONLY;
  const scrapes = targets.map((target) => scrape(target, podIp, accept, request));
  const bodies: Scraped[] = [];
  for (const result of await Promise.allSettled(scrapes)) {
    store.counter("istio_agent.scrapes_total", "istio_agent_scrapes_total", []).add(1);
    if (result.status === "fulfilled") bodies.push(result.value);
    else store.counter("istio_agent.scrape_failures_total", "istio_agent_scrape_failures_total", [["type", "application"]]).add(1);
  }
  await reader.settle();
  const own = renderPrometheus(reader, parsed.value);
  const isOpenMetrics = bodies.some((each) => each.isOpenMetrics);
  const parts = [isOpenMetrics ? toOpenMetrics(own) : own, ...bodies.map((each) => each.body)];
  return { status: 200, type: isOpenMetrics ? OPEN_METRICS : TEXT, body: parts.join("") + (isOpenMetrics ? "# EOF\n" : "") };
}

const TEXT_ONLY = "text/plain;version=0.0.4";

/** @throws Error where the application's metrics can't be had, or can't stand beside ours. */
async function scrape({ port, path, isTls }: ScrapeTarget, podIp: string, accept: string, request: PlainRequest): Promise<Scraped> {
  const told = Number(request.headers.get("x-prometheus-scrape-timeout-seconds")) * 1000;
  const timeoutMs = (told > 0 ? Math.min(told, SCRAPE_TIMEOUT_MS * 6) : SCRAPE_TIMEOUT_MS) * SCRAPE_SHARE;
  const response = await plainRequest({
    ...ownAddress(podIp, port),
    tls: isTls,
    target: path,
    headers: [
      ["Host", formatAddress(podIp, port)],
      ["User-Agent", request.headers.get("user-agent") ?? "meshctl"],
      ["Accept", accept],
      ["Accept-Encoding", "identity"],
      ["Connection", "close"],
    ],
    maxBodyBytes: MAX_SCRAPE_BYTES,
    signal: AbortSignal.any([request.signal, AbortSignal.timeout(timeoutMs)]),
  });
  const type = response.headers.get("content-type") ?? "";
  const encoding = response.headers.get("content-encoding") ?? "identity";
  if (response.status !== 200) throw new Error(`status ${response.status}`);
  if (response.isCut) throw new Error(`more than ${MAX_SCRAPE_BYTES} bytes`);
  if (encoding !== "identity") throw new Error(`content-encoding ${encoding}`);
  const isOpenMetrics = type.startsWith("application/openmetrics-text");
  // Not asked for: its samples would be wrong in a text of the other format.
  if (isOpenMetrics && accept === TEXT_ONLY) throw new Error(`content-type ${type}`);
  if (!isOpenMetrics && type !== "" && !type.startsWith("text/")) throw new Error(`content-type ${type}`);
  const text = response.body.toString("utf8");
  const body = isOpenMetrics ? text.replace(/# EOF\n?$/, "") : text;
  return { isOpenMetrics, body: body === "" || body.endsWith("\n") ? body : `${body}\n` };
}

/** OpenMetrics has no blank lines, and its counters are named without the `_total` that their samples end in. */
function toOpenMetrics(own: string): string {
  return own
    .replaceAll(/^# TYPE (\S+) counter$/gm, (_, name: string) =>
      name.endsWith("_total") ? `# TYPE ${name.slice(0, -"_total".length)} counter` : `# TYPE ${name} unknown`,
    )
    .replaceAll(/\n\n+/g, "\n");
}
