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

function edgeKey(reporter: string): (labels: Labels) => string | undefined {
  return (labels) => (labels["reporter"] === reporter ? `${labels["source_workload"]} ${labels["destination_workload"]}` : undefined);
}

/** @param samples growth of the traffic metrics of every sidecar. */
export function callGraph(samples: readonly Sample[]): Edge[] {
  const bySource = groupTraffic(samples, edgeKey("source"));
  const isMutual = (labels: Labels): boolean => labels["connection_security_policy"] === "mutual_tls";
  const overTls = groupTraffic(
    samples.filter((sample) => isMutual(sample.labels) && sample.value > 0),
    edgeKey("destination"),
  );
  return [...bySource]
    .filter(([, sent]) => sent.requests > 0)
    .map(([key, sent]) => {
      const received = overTls.get(key);
      return {
        from: sent.labels["source_workload"] ?? "",
        to: sent.labels["destination_workload"] ?? "",
        service: sent.labels["destination_service_name"] ?? "",
        version: sent.labels["destination_version"] ?? "",
        requests: sent.requests,
        failures: sent.failures,
        p50Ms: sent.latencyMs(0.5),
        p99Ms: sent.latencyMs(0.99),
        mutualTls: received?.requests ?? 0,
        fromIdentity: received?.labels["source_principal"] ?? "",
        toIdentity: received?.labels["destination_principal"] ?? "",
      };
    });
}
