// What the checks of a local mesh look at, read once.
import type { UserError } from "../../../common/user-error.ts";
import type { MeshInfo } from "../../../local/run-folder.ts";
import type { SyncEntry } from "../cluster-state.ts";
import type { Gathered } from "../gathered.ts";

export interface LocalState {
  /** Of this command line. */
  readonly version: string;
  /** `-n`; undefined: all. */
  readonly namespace: string | undefined;
  readonly mesh: Gathered<MeshInfo>;
  readonly proxies: Gathered<readonly SyncEntry[]>;
  /** The ends of the logs of capture containers that failed, by `namespace/pod`. */
  readonly captureLogs: Readonly<Record<string, string>>;
  readonly backends: Gathered<readonly BackendFacts[]>;
}

/** One rule set of iptables on this machine, whose kernel the mesh shares. */
export interface BackendFacts {
  /** nft or legacy. */
  readonly kind: string;
  readonly hasRules: boolean;
  /** What the program says instead of rules. */
  readonly problem: string | undefined;
}

export function toMessage({ message, hint }: UserError): string {
  return [message, ...(hint === undefined ? [] : [hint])].join("\n");
}
