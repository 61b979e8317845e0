// Do the clocks agree? A certificate is valid from a little before it was made: to a clock that is behind, not yet.
import type { Category, Finding } from "../check-list.ts";
import { valueOf } from "../gathered.ts";
import type { ClusterState, LeaseObject, ServerFacts } from "../cluster-state.ts";

/** The control plane dates certificates back by two minutes. */
const TOO_FAR_MS = 120_000;
const WORTH_SAYING_MS = 30_000;
/** Kubelets renew each 10 s, and a node counts as lost after 40 s or 50 s: by then its clock is not the news. */
const LOST_MS = 60_000;
/** A Date header is cut off to whole seconds. */
const DATE_PRECISION_MS = 1000;

export const clocks: Category<ClusterState> = {
  name: "clocks",
  checks: [
    {
      description: "this machine and the API server agree about the time",
      hint: "clock-skew",
      severity: "warning",
      find: ({ server }) => {
        const facts = valueOf(server);
        const skewMs = skewOf(facts);
        if (skewMs === undefined || Math.abs(skewMs) <= WORTH_SAYING_MS) return [];
        const message = `this machine's clock is ${describeMs(Math.abs(skewMs))} ${skewMs > 0 ? "ahead of" : "behind"} the API server's`;
        return [{ message, remedy: "sudo timedatectl set-ntp true    # on this machine, or on the API server's" }];
      },
    },
    {
      description: "nodes and the API server agree about the time",
      hint: "clock-skew",
      severity: "warning",
      find: ({ server, leases, nodes, nowMs }) => {
        const facts = valueOf(server);
        const serverNowMs = nowMs - (skewOf(facts) ?? 0);
        const ready = new Set(
          valueOf(nodes)
            .filter(({ status }) => status?.conditions?.some((each) => each.type === "Ready" && each.status === "True") === true)
            .map(({ metadata }) => metadata.name),
        );
        return valueOf(leases).flatMap((lease) => (ready.has(lease.metadata.name) ? nodeSkew(lease, serverNowMs) : []));
      },
    },
  ],
};

/** How far this machine's clock is ahead; 0 within what can't be told apart. */
export function skewOf({ dateMs, askedMs, answeredMs }: ServerFacts): number | undefined {
  if (dateMs === undefined) return undefined;
  // The server read its clock somewhere between asking and the answer.
  if (answeredMs < dateMs) return answeredMs - dateMs;
  return Math.max(0, askedMs - (dateMs + DATE_PRECISION_MS));
}

function nodeSkew({ metadata, spec }: LeaseObject, serverNowMs: number): Finding[] {
  const renewedMs = Date.parse(spec?.renewTime ?? "");
  if (Number.isNaN(renewedMs)) return [];
  const aheadMs = renewedMs - serverNowMs;
  // The node is Ready by the API server's own clock, so it does renew its lease: an old time is a clock that is behind.
  const behindMs = -aheadMs - LOST_MS;
  const skewMs = Math.max(aheadMs, behindMs);
  if (skewMs <= WORTH_SAYING_MS) return [];
  const isAhead = aheadMs > behindMs;
  const consequence =
    skewMs <= TOO_FAR_MS ? "" : isAhead ? "; its certificates expire early" : "; new certificates are not valid yet there";
  return [
    {
      message: `node ${metadata.name}'s clock is ${isAhead ? "" : "at least "}${describeMs(skewMs)} ${isAhead ? "ahead of" : "behind"} the API server's${consequence}`,
      remedy: `kubectl debug node/${metadata.name} -it --profile=sysadmin --image=busybox -- chroot /host timedatectl set-ntp true`,
      severity: skewMs > TOO_FAR_MS ? "error" : "warning",
    },
  ];
}

function describeMs(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}
