// Istio's standard metrics, added up: requests, failures, durations and TCP connections of whatever shares a key.
import { histogramQuantile } from "./histogram-quantile.ts";
import type { Sample } from "./prometheus-text.ts";

/** The metrics that a Traffic is made of. */
export function isTrafficMetric(name: string): boolean {
  return (
    name === "istio_requests_total" ||
    name === "istio_request_duration_milliseconds_bucket" ||
    name === "istio_tcp_connections_opened_total" ||
    name === "istio_tcp_connections_closed_total"
  );
}

type Labels = Readonly<Record<string, string>>;

export class Traffic {
  /** Labels of the first series counted here. */
  readonly labels: Labels;
  requests = 0;
  failures = 0;
  tcpOpened = 0;
  tcpClosed = 0;
  readonly #durations = new Map<number, number>();

  constructor(labels: Labels) {
    this.labels = labels;
  }

  add(sample: Sample): void {
    switch (sample.name) {
      case "istio_requests_total":
        this.requests += sample.value;
        if (isFailure(sample.labels)) this.failures += sample.value;
        break;
      case "istio_request_duration_milliseconds_bucket": {
        const bound = Number((sample.labels["le"] ?? "").replace(/^\+?Inf$/, "Infinity"));
        this.#durations.set(bound, (this.#durations.get(bound) ?? 0) + sample.value);
        break;
      }
      case "istio_tcp_connections_opened_total":
        this.tcpOpened += sample.value;
        break;
      case "istio_tcp_connections_closed_total":
        this.tcpClosed += sample.value;
        break;
    }
  }

  /** 0 to 1; undefined without requests. */
  get success(): number | undefined {
    return this.requests > 0 ? (this.requests - this.failures) / this.requests : undefined;
  }

  /** Milliseconds; undefined without requests. */
  latencyMs(quantile: number): number | undefined {
    return histogramQuantile(this.#durations, quantile);
  }
}

// Statuses of gRPC that say the server failed, as Linkerd counts them: UNKNOWN, DEADLINE_EXCEEDED, INTERNAL, UNAVAILABLE,
// DATA_LOSS. The others say something about the call, as a 4xx does.
const GRPC_FAILURES = new Set(["2", "4", "13", "14", "15"]);

/** A 5xx, a failed gRPC call, or no answer at all (0) unless it was the client that left (DC). */
function isFailure(labels: Labels): boolean {
  const grpc = labels["grpc_response_status"] ?? "";
  // A client that leaves has CANCELLED its call, whatever the code says.
  if (grpc !== "") return GRPC_FAILURES.has(grpc);
  const code = labels["response_code"] ?? "";
  return code.startsWith("5") || (code === "0" && labels["response_flags"] !== "DC");
}

/** Adds samples up by key; undefined leaves a sample out. */
export function groupTraffic(samples: readonly Sample[], keyOf: (labels: Labels) => string | undefined): Map<string, Traffic> {
  const groups = new Map<string, Traffic>();
  for (const sample of samples) {
    const key = keyOf(sample.labels);
    if (key === undefined) continue;
    let group = groups.get(key);
    if (group === undefined) groups.set(key, (group = new Traffic(sample.labels)));
    group.add(sample);
  }
  return groups;
}
