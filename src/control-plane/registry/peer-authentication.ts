// Which mutual TLS mode a workload's port has, and which policy says so: workload (with its ports), then namespace,
// then root namespace; the oldest wins within a level; UNSET inherits; nothing at all means PERMISSIVE.
import type { PeerAuthenticationObject } from "../ingest/mesh-object.ts";
import type { MeshSnapshot } from "./mesh-snapshot.ts";

export type MtlsMode = "STRICT" | "PERMISSIVE" | "DISABLE";

export interface EffectiveMtls {
  readonly mode: MtlsMode;
  /** `name/namespace` of the PeerAuthentication that decides; undefined: the default. */
  readonly policy: string | undefined;
}

const DEFAULT_MTLS: EffectiveMtls = { mode: "PERMISSIVE", policy: undefined };

/**
 * @param port the workload's own port (a Service's target port); undefined: the workload as a whole.
 */
export function effectiveMtls(
  snapshot: MeshSnapshot,
  workload: { readonly namespace: string; readonly labels: Readonly<Record<string, string>> },
  port: number | undefined,
): EffectiveMtls {
  const own = snapshot.peerAuthentications.get(workload.namespace) ?? [];
  const selecting = own.find((each) => hasSelector(each) && selects(each.spec.selector?.matchLabels ?? {}, workload.labels));
  if (selecting !== undefined) {
    const atPort = port === undefined ? undefined : selecting.spec.portLevelMtls?.[String(port)]?.mode;
    const mode = toMode(atPort) ?? toMode(selecting.spec.mtls?.mode);
    if (mode !== undefined) return { mode, policy: nameOf(selecting) };
  }
  for (const namespace of [workload.namespace, snapshot.settings.rootNamespace]) {
    const general = (snapshot.peerAuthentications.get(namespace) ?? []).find((each) => !hasSelector(each));
    const mode = toMode(general?.spec.mtls?.mode);
    if (general !== undefined && mode !== undefined) return { mode, policy: nameOf(general) };
  }
  return DEFAULT_MTLS;
}

/** The ports for which the workload's policy has a mode of its own. */
export function portsWithOwnMode(
  snapshot: MeshSnapshot,
  workload: { readonly namespace: string; readonly labels: Readonly<Record<string, string>> },
): number[] {
  const own = snapshot.peerAuthentications.get(workload.namespace) ?? [];
  const selecting = own.find((each) => hasSelector(each) && selects(each.spec.selector?.matchLabels ?? {}, workload.labels));
  return Object.keys(selecting?.spec.portLevelMtls ?? {}).map(Number);
}

/** Every pair of the selector is among the labels. */
export function selects(selector: Readonly<Record<string, string>>, labels: Readonly<Record<string, string>>): boolean {
  return Object.entries(selector).every(([key, value]) => labels[key] === value);
}

function hasSelector(policy: PeerAuthenticationObject): boolean {
  return Object.keys(policy.spec.selector?.matchLabels ?? {}).length > 0;
}

function toMode(mode: string | undefined): MtlsMode | undefined {
  return mode === "STRICT" || mode === "PERMISSIVE" || mode === "DISABLE" ? mode : undefined;
}

function nameOf(policy: PeerAuthenticationObject): string {
  return `${policy.meta.name}/${policy.meta.namespace}`;
}
