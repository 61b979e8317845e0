// The long names of gRPC statuses and of Envoy's response flags.

const GRPC_STATUS = [
  "OK",
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
];

/** `DeadlineExceeded`, or `DEADLINE_EXCEEDED`; a number where there is no name. */
export function grpcStatusText(status: number, snake: boolean): string {
  const name = GRPC_STATUS[status];
  if (name === undefined) return String(status);
  if (snake || name === "OK") return name;
  // Envoy spells it with one L here and with two in snake case.
  if (name === "CANCELLED") return "Canceled";
  return name.replace(/([A-Z])([A-Z]*)_?/g, (_, first: string, rest: string) => first + rest.toLowerCase());
}

const LONG_FLAGS: Readonly<Record<string, string>> = {
  UH: "NoHealthyUpstream",
  UF: "UpstreamConnectionFailure",
  UO: "UpstreamOverflow",
  NR: "NoRouteFound",
  URX: "UpstreamRetryLimitExceeded",
  NC: "NoClusterFound",
  DT: "DurationTimeout",
  DC: "DownstreamConnectionTermination",
  LH: "FailedLocalHealthCheck",
  UT: "UpstreamRequestTimeout",
  LR: "LocalReset",
  UR: "UpstreamRemoteReset",
  UC: "UpstreamConnectionTermination",
  DI: "DelayInjected",
  FI: "FaultInjected",
  RL: "RateLimited",
  UAEX: "UnauthorizedExternalService",
  RLSE: "RateLimitServiceError",
  IH: "InvalidEnvoyRequestHeaders",
  SI: "StreamIdleTimeout",
  DPE: "DownstreamProtocolError",
  UPE: "UpstreamProtocolError",
  UMSDR: "UpstreamMaxStreamDurationReached",
  OM: "OverloadManagerTerminated",
  DF: "DnsResolutionFailed",
  DO: "DropOverload",
  DR: "DownstreamRemoteReset",
};

/** Of one or more, joined with `,`; undefined for `-`. */
export function longResponseFlags(flags: string): string | undefined {
  if (flags === "-") return undefined;
  return flags
    .split(",")
    .map((each) => LONG_FLAGS[each] ?? each)
    .join(",");
}
