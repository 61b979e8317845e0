// A row of the failure table: what a failure looks like to everybody who is told of it, and who is to blame.

/** Who is to blame, as every surface of meshctl names them. */
export type Blame = "client" | "client-sidecar" | "network" | "server-sidecar" | "server" | "control-plane" | "policy";

export interface Cause {
  /** Stable name for code and tests. */
  readonly name: string;
  /** Status of the local reply; 0 where no reply can be sent any more. */
  readonly httpStatus: number;
  readonly grpcStatus: number;
  /** Envoy's short response flag; `-` for none. */
  readonly flag: string;
  /** Envoy's %RESPONSE_CODE_DETAILS% without spaces. */
  readonly details: string;
  readonly blame: Blame;
  /** Where the upstream is another sidecar of the mesh, if somebody else is to blame then. */
  readonly blameInMesh: Blame | undefined;
  /** Where the failing sidecar is the server's own and its upstream the application. */
  readonly blameInbound: Blame | undefined;
  /** Body of the local reply: Envoy's text where it has one. */
  readonly body: string;
}

/** Where a failure was seen: by the client's sidecar on the way to another sidecar or to anything else, or by the server's. */
export type Vantage = "to-mesh" | "to-anything" | "inbound";

/** Who failed, seen from there. */
export function blameOf(failure: Cause, vantage: Vantage): Blame {
  if (vantage === "inbound") return failure.blameInbound ?? failure.blame;
  return vantage === "to-mesh" ? (failure.blameInMesh ?? failure.blame) : failure.blame;
}

/** Other parties for other vantages. */
export interface Elsewhere {
  readonly inMesh?: Blame;
  readonly inbound?: Blame;
}

/** A peer that is a sidecar answers for what happens between us and it; what its application does, it says itself. */
export const PEER: Elsewhere = { inMesh: "server-sidecar" };
/** What this sidecar does wrong itself. */
export const OURS: Elsewhere = { inbound: "server-sidecar" };

export const Grpc = {
  cancelled: 1,
  invalidArgument: 3,
  deadlineExceeded: 4,
  permissionDenied: 7,
  resourceExhausted: 8,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
} as const;

/** A row without its name, which is its key in the table. */
export type Row = Omit<Cause, "name">;

export function row(
  httpStatus: number,
  grpcStatus: number,
  flag: string,
  details: string,
  blame: Blame,
  body = "",
  elsewhere: Elsewhere = {},
): Row {
  return { httpStatus, grpcStatus, flag, details, blame, body, blameInMesh: elsewhere.inMesh, blameInbound: elsewhere.inbound };
}

/** A row for when the response has begun: no reply can be sent, the stream is cut. */
export function midway(grpcStatus: number, flag: string, details: string, blame: Blame, elsewhere: Elsewhere = {}): Row {
  return row(0, grpcStatus, flag, details, blame, "", elsewhere);
}

/** Names the rows by their keys. */
export function named<Key extends string>(rows: Readonly<Record<Key, Row>>): Readonly<Record<Key, Cause>> {
  return Object.fromEntries(Object.entries<Row>(rows).map(([name, each]) => [name, { name, ...each }])) as Record<Key, Cause>;
}
