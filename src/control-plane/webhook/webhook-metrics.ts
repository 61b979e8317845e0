// What the webhooks did, under Istio's names, in Prometheus' text format; and the decision with its reason under ours.

/** Seconds; the API server gives up after five. */
const TIME_BOUNDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5];

/** API servers ask about a few kinds; but anybody who reaches the port can name others. */
const MAX_KINDS = 64;
/** Of names in Kubernetes. */
const MAX_LABEL_CHARS = 253;
const OTHER_KINDS = kindLabels(["other", "other", "other"]);

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
    const counts = isGood ? this.#passed : this.#refused;
    const given = kindLabels([group, version, resource]);
    increment(counts, counts.has(given) || counts.size < MAX_KINDS ? given : OTHER_KINDS);
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

function kindLabels(kind: readonly [group: string, version: string, resource: string]): string {
  const [group, version, resource] = kind.map((each) => each.slice(0, MAX_LABEL_CHARS).replace(/[\\"\n]/g, "_"));
  return `{group="${group}",version="${version}",resource="${resource}"}`;
}

function increment(counts: Map<string, number>, labels: string): void {
  counts.set(labels, (counts.get(labels) ?? 0) + 1);
}

function counter(name: string, help: string, samples: readonly (readonly [string, number])[]): string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} counter`, ...samples.map(([labels, value]) => `${name}${labels} ${value}`)];
}
