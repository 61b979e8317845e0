// Metrics of the application and the sidecar in one scrape: the pod's prometheus.io annotations point at port 15020, and
// the sidecar is told where the application's are. Off with prometheus.istio.io/merge-metrics: "false".
import { failure, success, type Problem, type Result } from "../common/result.ts";
import { OWN_PORTS, Port, StatusPath } from "../xds/names.ts";
import { findAnnotation, readBoolean } from "./annotation-values.ts";

export interface MetricsPlan {
  /** Of the pod; those that are there already are replaced. */
  readonly annotations: Readonly<Record<string, string>>;
  readonly targets: readonly ScrapeTarget[];
}

interface ScrapeTarget {
  readonly port: number;
  readonly path: string;
  readonly scheme?: string;
}

const PREFIX = "prometheus.istio.io/";
const DEFAULT_PATH = "/metrics";
// Prometheus' own for http.
const DEFAULT_PORT = "80";

export function planMetrics(annotations: Readonly<Record<string, string>>): Result<MetricsPlan> {
  const problems: Problem[] = [];
  const merges = readBoolean(annotations, PREFIX, "merge-metrics", problems) ?? true;
  const scrape = annotations["prometheus.io/scrape"];
  const targets = merges && (scrape ?? "true") === "true" ? findTargets(annotations, problems) : [];
  if (problems.length > 0) return failure(problems);
  if (!merges || (scrape ?? "true") !== "true") return success({ annotations: {}, targets: [] });
  return success({
    annotations: {
      "prometheus.io/scrape": "true",
      "prometheus.io/port": String(Port.mergedMetrics),
      "prometheus.io/path": StatusPath.metrics,
      ...(annotations["prometheus.io/scheme"] === undefined ? {} : { "prometheus.io/scheme": "http" }),
    },
    targets,
  });
}

function findTargets(annotations: Readonly<Record<string, string>>, problems: Problem[]): ScrapeTarget[] {
  const scheme = annotations["prometheus.io/scheme"] === "https" ? { scheme: "https" } : {};
  const list = findAnnotation(annotations, PREFIX, "scrape-targets");
  if (list !== undefined) {
    return list.text.split(",").flatMap((each) => {
      const [, port = "", path = DEFAULT_PATH] = /^\s*(\d+)(?::(\/\S*))?\s*$/.exec(each) ?? [];
      return toTarget(list.key, port, path, each.trim(), problems).map((target) => ({ ...target, ...scheme }));
    });
  }
  const [scrape, port, path] = ["scrape", "port", "path"].map((each) => annotations[`prometheus.io/${each}`]);
  if (scrape === undefined && port === undefined && path === undefined) return [];
  // Written for a sidecar already.
  if (port === String(Port.mergedMetrics)) return [];
  const from = path === undefined || path === "" ? DEFAULT_PATH : path.startsWith("/") ? path : `/${path}`;
  const given = port ?? DEFAULT_PORT;
  return toTarget("prometheus.io/port", given, from, given, problems).map((target) => ({ ...target, ...scheme }));
}

function toTarget(key: string, port: string, path: string, written: string, problems: Problem[]): ScrapeTarget[] {
  const number = /^\d{1,5}$/.test(port) ? Number(port) : 0;
  const refuse = (message: string): never[] => {
    problems.push({ path: `metadata.annotations["${key}"]`, message });
    return [];
  };
  if (number < 1 || number > 65_535) return refuse(`${JSON.stringify(written)} is not a port`);
  if (OWN_PORTS.has(number)) return refuse(`port ${number} is the sidecar's own`);
  if (!/^\/[\x21-\x7e]*$/.test(path)) return refuse(`${JSON.stringify(path)} is not a path`);
  return [{ port: number, path }];
}
