// Who is asking: the seam between a bearer token and a workload's identity. A JWKS file answers on one machine,
// Kubernetes' TokenReview (in control-plane/) in a cluster.

export interface CallerIdentity {
  readonly namespace: string;
  readonly serviceAccount: string;
  /** The pod that the token is bound to, where it says so. */
  readonly pod?: { readonly name: string; readonly uid: string };
}

/** `reason` is for the caller and the log, and never holds the token. */
export type Authentication = { readonly ok: true; readonly identity: CallerIdentity } | { readonly ok: false; readonly reason: string };

/** Rejects only when the question could not be asked, such as when the API server can't be reached. */
export type Authenticator = (token: string) => Promise<Authentication>;

/** The token of an `Authorization: Bearer …` header; undefined when there is none. */
export function bearerToken(authorization: string | undefined): string | undefined {
  return /^Bearer +([A-Za-z0-9._~+/=-]+) *$/i.exec(authorization ?? "")?.[1];
}
