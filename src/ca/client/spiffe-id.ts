// A workload's name in certificates: spiffe://<trust domain>/ns/<namespace>/sa/<service account> (Istio's form of a
// SPIFFE ID).

export interface SpiffeId {
  readonly trustDomain: string;
  readonly namespace: string;
  readonly serviceAccount: string;
}

// SPIFFE-ID §2.1 for the trust domain; names of Kubernetes objects (RFC 1123) for the rest.
const FORM = /^spiffe:\/\/([a-z0-9._-]{1,255})\/ns\/([a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)\/sa\/([a-z0-9](?:[a-z0-9.-]*[a-z0-9])?)$/;

/** `spiffe://cluster.local/ns/shop/sa/frontend`; throws where a part could not be read back. */
export function formatSpiffeId({ trustDomain, namespace, serviceAccount }: SpiffeId): string {
  const uri = `spiffe://${trustDomain}/ns/${namespace}/sa/${serviceAccount}`;
  if (!FORM.test(uri)) throw new RangeError(`"${uri}" is no valid SPIFFE ID`);
  return uri;
}

/** undefined for anything that is not exactly of our form. */
export function parseSpiffeId(uri: string): SpiffeId | undefined {
  const match = FORM.exec(uri);
  if (match === null) return undefined;
  return { trustDomain: match[1]!, namespace: match[2]!, serviceAccount: match[3]! };
}
