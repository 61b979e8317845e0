// What the webhooks did, under Istio's names, in Prometheus' text format; and the decision with its reason under ours.

/** Seconds; the API server gives up after five. */
const TIME_BOUNDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5];

export type InjectionOutcome = "injected" | "skipped" | "refused" | "failed";

export interface ValidatedKind {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
}

export class WebhookMetrics {
  readonly #decisions = new Map<string, number>();
  readonly #outcomes: Record<InjectionOutcome, number> = { injected: 0, skipped: 0, refused: 0, failed: 0 };
  readonly #passed = new Map<string, number>();
  readonly #refused = new Map<string, number>();
  readonly #times = TIME_BOUNDS.map(() => 0);
  #timeCount = 0;
  #timeSum = 0;
  /** Requests to the port that were no review. */
  badRequests = 0;
  droppedEvents = 0;
  caBundleWrites = 0;
  statusWrites = 0;

  /** @param reason one of a few words, such as `namespace`. */
  countInjection(outcome: InjectionOutcome, reason: string, seconds: number): void {
    this.#outcomes[outcome]++;
    increment(this.#decisions, `{decision="${outcome}",reason="${reason}"}`);
    this.#timeCount++;
    this.#timeSum += seconds;
    TIME_BOUNDS.forEach((bound, index) => {
      if (seconds <= bound) this.#times[index] = (this.#times[index] ?? 0) + 1;
    });
  }

  countValidation({ group, version, resource }: ValidatedKind, isGood: boolean): void {
    // Only kinds of the API server's reviews come here, so there are few.
    const labels = [group, version, resource].map((each) => each.replace(/[\\"\n]/g, "_"));
    increment(isGood ? this.#passed : this.#refused, `{group="${labels[0]}",version="${labels[1]}",resource="${labels[2]}"}`);
  }

  render(): string {
    const { injected, skipped, refused, failed } = this.#outcomes;
    const lines = [
      ...counter("sidecar_injection_requests_total", "Pods that the injection webhook was asked about.", [
        ["", injected + skipped + refused + failed],
      ]),
      ...counter("sidecar_injection_success_total", "Pods that got a sidecar.", [["", injected]]),
      ...counter("sidecar_injection_failure_total", "Pods that were refused, or whose review failed.", [["", refused + failed]]),
      ...counter("sidecar_injection_skip_total", "Pods that were let in without a sidecar.", [["", skipped]]),
      ...counter("meshctl_injection_decisions_total", "Pods by decision, and who or what decided.", [...this.#decisions].sort()),
      "# HELP sidecar_injection_time_seconds Time that the injection webhook took.",
      "# TYPE sidecar_injection_time_seconds histogram",
      ...TIME_BOUNDS.map((bound, index) => `sidecar_injection_time_seconds_bucket{le="${bound}"} ${this.#times[index] ?? 0}`),
      `sidecar_injection_time_seconds_bucket{le="+Inf"} ${this.#timeCount}`,
      `sidecar_injection_time_seconds_sum ${this.#timeSum}`,
      `sidecar_injection_time_seconds_count ${this.#timeCount}`,
      ...counter("galley_validation_passed", "Objects that the validation webhook let in.", [...this.#passed].sort()),
      ...counter("galley_validation_failed", "Objects that the validation webhook refused.", [...this.#refused].sort()),
      ...counter("galley_validation_http_error", "Requests to the webhooks' port that were no review.", [["", this.badRequests]]),
      ...counter("meshctl_injection_events_dropped_total", "Events that were too many to be written.", [["", this.droppedEvents]]),
      ...counter("meshctl_webhook_ca_bundle_writes_total", "Times that a caBundle was put right.", [["", this.caBundleWrites]]),
      ...counter("meshctl_status_writes_total", "Statuses written on mesh objects.", [["", this.statusWrites]]),
    ];
    return `${lines.join("\n")}\n`;
  }
}

function increment(counts: Map<string, number>, labels: string): void {
  counts.set(labels, (counts.get(labels) ?? 0) + 1);
}

function counter(name: string, help: string, samples: readonly (readonly [string, number])[]): string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} counter`, ...samples.map(([labels, value]) => `${name}${labels} ${value}`)];
}
