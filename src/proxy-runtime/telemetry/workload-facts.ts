// Who a workload is, as Istio's metrics label it, and where that is known from: the own pod's environment, the metadata
// of an endpoint, or a peer's certificate.
import type { EndpointsConfig } from "../config/endpoint-config.ts";

export interface WorkloadFacts {
  readonly name: string;
  readonly namespace: string;
  readonly canonicalName: string;
  readonly canonicalRevision: string;
  /** SPIFFE URI. */
  readonly principal: string;
  readonly app: string;
  readonly version: string;
  readonly cluster: string;
}

const UNKNOWN = "unknown";

/** What Istio prints about a peer of which nothing is known. */
export const UNKNOWN_WORKLOAD: WorkloadFacts = {
  name: UNKNOWN,
  namespace: UNKNOWN,
  canonicalName: UNKNOWN,
  canonicalRevision: "latest",
  principal: UNKNOWN,
  app: UNKNOWN,
  version: UNKNOWN,
  cluster: UNKNOWN,
};

/**
 * Istio's endpoint metadata string: `name;namespace;canonical-name;canonical-revision;cluster`, any part may be empty or
 * missing. App and version are taken from the canonical ones, which come from the same labels.
 */
export function parseWorkload(text: string): WorkloadFacts {
  const [name, namespace, canonicalName, canonicalRevision, cluster] = text.split(";");
  return {
    name: name || UNKNOWN,
    namespace: namespace || UNKNOWN,
    canonicalName: canonicalName || name || UNKNOWN,
    canonicalRevision: canonicalRevision || "latest",
    principal: UNKNOWN,
    app: canonicalName || name || UNKNOWN,
    // `latest` is what a canonical revision is called when the workload has no version label.
    version: canonicalRevision === undefined || canonicalRevision === "" || canonicalRevision === "latest" ? UNKNOWN : canonicalRevision,
    cluster: cluster || UNKNOWN,
  };
}

/** Namespace of `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`; undefined for any other URI. */
export function namespaceOfSpiffeId(uri: string): string | undefined {
  return /^spiffe:\/\/[^/]+\/ns\/([^/]+)\/sa\/[^/]+$/.exec(uri)?.[1];
}

/**
 * Finds a workload by its address among the endpoints of the current configuration. A pod that no Service selects is
 * in none, so it stays unknown. The table is made at the first question after a change.
 */
export function workloadLookup(endpoints: () => ReadonlyMap<string, EndpointsConfig>): (ip: string) => WorkloadFacts | undefined {
  let seen: ReadonlyMap<string, EndpointsConfig> | undefined;
  let table = new Map<string, string>();
  return (ip) => {
    const current = endpoints();
    if (current !== seen) {
      seen = current;
      table = workloadsByAddress(current);
    }
    const text = table.get(ip);
    return text === undefined ? undefined : parseWorkload(text);
  };
}

function workloadsByAddress(all: ReadonlyMap<string, EndpointsConfig>): Map<string, string> {
  const table = new Map<string, string>();
  for (const { localities } of all.values()) {
    for (const { endpoints } of localities) {
      for (const { address, workload } of endpoints) if (workload !== undefined) table.set(address, workload);
    }
  }
  return table;
}
