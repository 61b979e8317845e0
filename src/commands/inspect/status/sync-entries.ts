// /debug/syncz of every replica of the control plane, put together: per proxy and type, has it what it was sent?
import { askPod } from "../../../cli/ask-mesh.ts";
import type { MeshPod } from "../../../cli/mesh-access.ts";
import { UserError } from "../../../common/user-error.ts";
import { Port } from "../../../xds/names.ts";

export type SyncState = "SYNCED" | "STALE" | "NOT SENT" | "IGNORED";

export interface ProxySync {
  /** `<pod>.<namespace>`. */
  readonly name: string;
  readonly cluster: string;
  /** The replica of the control plane that it is connected to. */
  readonly istiod: string;
  readonly version: string;
  readonly states: Readonly<Record<SyncType, SyncState>>;
  /** Why it refused what it was sent last, by type. */
  readonly refused: Readonly<Partial<Record<SyncType, string>>>;
}

export type SyncType = (typeof SYNC_TYPES)[number];

/** In the order of istioctl's columns until 1.26. */
export const SYNC_TYPES = ["CDS", "LDS", "EDS", "RDS", "ECDS"] as const;
const FIELDS: Readonly<Record<SyncType, string>> = {
  CDS: "cluster",
  LDS: "listener",
  EDS: "endpoint",
  RDS: "route",
  ECDS: "extensionconfig",
};

export interface SyncEntries {
  readonly proxies: readonly ProxySync[];
  /** One for each replica that gave no answer. */
  readonly failures: readonly UserError[];
}

/** @throws UserError when no replica answers. */
export async function readSyncEntries(controllers: readonly MeshPod[]): Promise<SyncEntries> {
  const answers = await Promise.allSettled(
    controllers.map(async (pod) => {
      const entries = await askPod(pod, Port.monitoring, (admin) => admin.getJson("/debug/syncz"));
      return (entries as readonly Record<string, string | undefined>[]).map((entry) => toProxySync(entry, pod.name));
    }),
  );
  const failures = answers.flatMap((each) => (each.status === "rejected" ? [each.reason as unknown] : []));
  for (const each of failures) if (!(each instanceof UserError)) throw each;
  const [failure] = failures as readonly UserError[];
  if (failure !== undefined && failures.length === answers.length) throw failure;
  const proxies = answers.flatMap((each) => (each.status === "fulfilled" ? each.value : []));
  return { proxies: proxies.sort((a, b) => (a.name < b.name ? -1 : 1)), failures: failures as readonly UserError[] };
}

function toProxySync(entry: Readonly<Record<string, string | undefined>>, controller: string): ProxySync {
  const states = Object.fromEntries(
    SYNC_TYPES.map((type) => [type, stateOf(entry[`${FIELDS[type]}_sent`], entry[`${FIELDS[type]}_acked`])]),
  );
  const refused = SYNC_TYPES.flatMap((type) => {
    const reason = entry[`${FIELDS[type]}_refused`];
    return reason === undefined ? [] : [[type, reason] as const];
  });
  return {
    name: entry["proxy"] ?? "",
    cluster: entry["cluster_id"] ?? "",
    istiod: controller,
    version: entry["istio_version"] ?? "",
    states: states as ProxySync["states"],
    refused: Object.fromEntries(refused),
  };
}

/** By nonces, as istioctl derives them. */
function stateOf(sent: string | undefined, acked: string | undefined): SyncState {
  if (sent === undefined) return "IGNORED";
  if (sent === "") return "NOT SENT";
  return acked === sent ? "SYNCED" : "STALE";
}
