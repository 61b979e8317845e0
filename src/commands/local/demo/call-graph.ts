// Who called whom, from the sidecars' own metrics: what the client's side counted, and what the server's side knows of
// the same calls: under which certificates they came.
import type { Sample } from "../../inspect/traffic/prometheus-text.ts";
import { groupTraffic } from "../../inspect/traffic/traffic.ts";

/** All calls of one workload to another. */
export interface Edge {
  readonly from: string;
  /** The workload that answered: `payments-v1`. */
  readonly to: string;
  /** Its Service, and its version label. */
  readonly service: string;
  readonly version: string;
  readonly requests: number;
  readonly failures: number;
  readonly p50Ms: number | undefined;
  readonly p99Ms: number | undefined;
  /** Requests that the server's sidecar received over mutual TLS. */
  readonly mutualTls: number;
  /** What each side's certificate proved to the other; empty without mutual TLS. */
  readonly fromIdentity: string;
  readonly toIdentity: string;
}

type Labels = Readonly<Record<string, string>>;

/** @param samples growth of the traffic metrics of every sidecar. */
export function callGraph(samples: readonly Sample[]): Edge[] {
  const sent = groupTraffic(samples, (labels) =>
    labels["reporter"] === "source" ? edgeKey(labels["source_workload"], labels) : undefined,
  );
  const callers = workloadsByPrincipal(samples);
  const overTls = groupTraffic(
    samples.filter(({ labels, value }) => labels["connection_security_policy"] === "mutual_tls" && value > 0),
    (labels) => (labels["reporter"] === "destination" ? edgeKey(callerOf(labels, callers), labels) : undefined),
  );
  return [...sent]
    .filter(([, calls]) => calls.requests > 0)
    .map(([key, calls]) => {
      const received = overTls.get(key);
      return {
        from: calls.labels["source_workload"] ?? "",
        to: calls.labels["destination_workload"] ?? "",
        service: calls.labels["destination_service_name"] ?? "",
        version: calls.labels["destination_version"] ?? "",
        requests: calls.requests,
        failures: calls.failures,
        p50Ms: calls.latencyMs(0.5),
        p99Ms: calls.latencyMs(0.99),
        mutualTls: received?.requests ?? 0,
        fromIdentity: received?.labels["source_principal"] ?? "",
        toIdentity: received?.labels["destination_principal"] ?? "",
      };
    });
}

function edgeKey(from: string | undefined, labels: Labels): string {
  return `${from} ${labels["destination_workload"]}`;
}

/** Workloads by the identity that they report of themselves; several may share a service account. */
function workloadsByPrincipal(samples: readonly Sample[]): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const { labels } of samples) {
    const principal = labels["source_principal"] ?? "unknown";
    if (labels["reporter"] !== "source" || principal === "unknown") continue;
    const workloads = found.get(principal) ?? new Set();
    workloads.add(labels["source_workload"] ?? "");
    found.set(principal, workloads);
  }
  return found;
}

/** A server's sidecar knows callers by the endpoints of Services. One that no Service selects shows only its certificate. */
function callerOf(labels: Labels, callers: ReadonlyMap<string, ReadonlySet<string>>): string | undefined {
  const named = labels["source_workload"];
  if (named !== undefined && named !== "unknown") return named;
  const [only, ...others] = callers.get(labels["source_principal"] ?? "") ?? [];
  return others.length === 0 ? only : named;
}
