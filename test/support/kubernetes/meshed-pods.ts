// A user's pods on a real API server, as far as the control plane sees them, and their sidecars' calls to it.
import type { JsonObject } from "@bufbuild/protobuf";
import type { KubeObjects } from "../../../src/kube/objects.ts";
import { TOKEN_AUDIENCE } from "../../../src/xds/names.ts";
import { AdsTestClient } from "../ads-test-client.ts";
import { playServiceAccount } from "./played-controllers.ts";
import type { RealCluster } from "./real-cluster.ts";

export interface MeshedPod {
  readonly namespace: string;
  readonly name: string;
  readonly serviceAccount: string;
  readonly address: string;
}

/** A pod that runs, bound to a node that nobody has. */
export async function playPod(objects: KubeObjects, pod: MeshedPod): Promise<void> {
  const { namespace, name, serviceAccount, address } = pod;
  await playServiceAccount(objects, namespace, serviceAccount);
  const draft = { apiVersion: "v1", kind: "Pod", metadata: { name, namespace, labels: { app: serviceAccount } } };
  await objects.create({ ...draft, spec: { serviceAccountName: serviceAccount, containers: [{ name: "app", image: "app" }] } });
  await objects.mergePatch({ ...draft, ...pod }, { status: { podIP: address, podIPs: [{ ip: address }] } }, { subresource: "status" });
}

/** The token that a kubelet would put into the pod for its sidecar. */
export function sidecarToken(cluster: RealCluster, { namespace, name, serviceAccount }: MeshedPod): Promise<string> {
  return cluster.token({ namespace, serviceAccount, pod: name, audience: TOKEN_AUDIENCE });
}

/** What its sidecar says of itself. */
export function nodeOf({ namespace, name, serviceAccount, address }: MeshedPod): { id: string; metadata: JsonObject } {
  return {
    id: `sidecar~${address}~${name}.${namespace}~${namespace}.svc.cluster.local`,
    metadata: { NAMESPACE: namespace, SERVICE_ACCOUNT: serviceAccount, INSTANCE_IPS: [address], LABELS: { app: serviceAccount } },
  };
}

/** A stream to a replica's secure port. @param rootPem from meshctl-root-cert, as in the pod. */
export function secureStream(address: string, token: string, rootPem: string): AdsTestClient {
  return new AdsTestClient(`${address}:15012`, { token, rootPem, serverName: "controller.mesh-system.svc" });
}
