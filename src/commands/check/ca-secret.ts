// How a CA of one's own gets into the mesh.
import { AUTHORITY_SECRET } from "../../manifests/install/controller-permissions.ts";

/** Puts it into the Secret, in the layout of Istio's `cacerts`. */
export function replaceCaCommand(namespace: string): string {
  const files = ["ca-cert.pem", "ca-key.pem", "cert-chain.pem", "root-cert.pem"].map((each) => `--from-file=${each}`).join(" ");
  return `kubectl -n ${namespace} create secret generic ${AUTHORITY_SECRET} ${files} --dry-run=client -o yaml | kubectl apply -f -`;
}
