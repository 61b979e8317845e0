// The control plane's own metrics, under Istio's names, in Prometheus' text format.

/** Seconds; Istio's bounds for pilot_proxy_convergence_time. */
const CONVERGENCE_BOUNDS = [0.1, 0.5, 1, 3, 5, 10, 20, 30];

export interface MeshCounts {
  readonly services: number;
  readonly virtualServices: number;
  readonly connectedProxies: number;
  readonly problems: number;
  readonly rootExpirySeconds: number | undefined;
}

export class ControlMetrics {
  readonly #version: string;
  readonly #pushes = new Map<string, number>();
  readonly #rejects = new Map<string, number>();
  readonly #refusals = new Map<string, number>();
  readonly #tokenReviews = new Map<string, number>();
  readonly #convergence = CONVERGENCE_BOUNDS.map(() => 0);
  #convergenceCount = 0;
  #convergenceSum = 0;
  csrs = 0;
  certificatesIssued = 0;
  authenticationFailures = 0;
  trustBundleWrites = 0;

  constructor(version: string) {
    this.#version = version;
  }

  /** @param type `cds`, `eds`, … */
  countPush(type: string): void {
    this.#pushes.set(type, (this.#pushes.get(type) ?? 0) + 1);
  }

  countReject(type: string): void {
    this.#rejects.set(type, (this.#rejects.get(type) ?? 0) + 1);
  }

  /** Of an xDS stream. */
  countRefusal(reason: "unauthenticated" | "permission_denied" | "unavailable"): void {
    this.#refusals.set(reason, (this.#refusals.get(reason) ?? 0) + 1);
  }

  countTokenReview(result: "accepted" | "refused" | "failed"): void {
    this.#tokenReviews.set(result, (this.#tokenReviews.get(result) ?? 0) + 1);
  }

  /** From the change of the configuration to the last byte handed to a proxy's transport. */
  observeConvergence(seconds: number): void {
    this.#convergenceCount++;
    this.#convergenceSum += seconds;
    CONVERGENCE_BOUNDS.forEach((bound, index) => {
      if (seconds <= bound) this.#convergence[index] = (this.#convergence[index] ?? 0) + 1;
    });
  }

  render(counts: MeshCounts): string {
    const lines: string[] = [];
    const metric = (name: string, type: string, help: string, samples: readonly (readonly [string, number])[]): void => {
      lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...samples.map(([labels, value]) => `${name}${labels} ${value}`));
    };
    metric("istio_build", "gauge", "Build of this component.", [[`{component="pilot",tag="${this.#version}"}`, 1]]);
    metric("pilot_xds", "gauge", "Proxies connected over xDS.", [[`{version="${this.#version}"}`, counts.connectedProxies]]);
    metric("pilot_xds_pushes", "counter", "Responses sent, by type.", byLabel("type", this.#pushes));
    metric("pilot_total_xds_rejects", "counter", "Responses that proxies refused.", [
      ["", [...this.#rejects.values()].reduce((sum, each) => sum + each, 0)],
    ]);
    for (const [type, value] of [...this.#rejects].sort()) {
      metric(`pilot_xds_${type}_reject`, "counter", `Responses of type ${type} that proxies refused.`, [["", value]]);
    }
    metric("meshctl_xds_refused_total", "counter", "xDS streams that were refused, by reason.", byLabel("reason", this.#refusals));
    metric("meshctl_token_reviews_total", "counter", "Tokens that the API server was asked about.", byLabel("result", this.#tokenReviews));
    metric("pilot_services", "gauge", "Services in the mesh.", [["", counts.services]]);
    metric("pilot_virt_services", "gauge", "VirtualServices in the mesh.", [["", counts.virtualServices]]);
    metric("meshctl_config_problems", "gauge", "Problems in the configuration now.", [["", counts.problems]]);
    metric("citadel_server_csr_count", "counter", "Certificate requests received.", [["", this.csrs]]);
    metric("citadel_server_success_cert_issuance_count", "counter", "Certificates issued.", [["", this.certificatesIssued]]);
    metric("citadel_server_authentication_failure_count", "counter", "Callers that could not prove who they are.", [
      ["", this.authenticationFailures],
    ]);
    metric("meshctl_trust_bundle_writes_total", "counter", "ConfigMaps with the mesh's roots that were made or put right.", [
      ["", this.trustBundleWrites],
    ]);
    if (counts.rootExpirySeconds !== undefined) {
      metric("citadel_server_root_cert_expiry_timestamp", "gauge", "When the signing path expires, in seconds since 1970.", [
        ["", counts.rootExpirySeconds],
      ]);
    }
    lines.push(
      "# HELP pilot_proxy_convergence_time Seconds from a change to its delivery.",
      "# TYPE pilot_proxy_convergence_time histogram",
    );
    CONVERGENCE_BOUNDS.forEach((bound, index) =>
      lines.push(`pilot_proxy_convergence_time_bucket{le="${bound}"} ${this.#convergence[index] ?? 0}`),
    );
    lines.push(
      `pilot_proxy_convergence_time_bucket{le="+Inf"} ${this.#convergenceCount}`,
      `pilot_proxy_convergence_time_sum ${this.#convergenceSum}`,
      `pilot_proxy_convergence_time_count ${this.#convergenceCount}`,
    );
    return `${lines.join("\n")}\n`;
  }
}

function byLabel(label: string, counts: ReadonlyMap<string, number>): [string, number][] {
  return [...counts].sort().map(([word, value]) => [`{${label}="${word}"}`, value]);
}
