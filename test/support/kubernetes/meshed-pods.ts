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

/** A pod with a sidecar that runs. @param placement without a node it is on none. */
export async function playPod(objects: KubeObjects, pod: MeshedPod, placement: { readonly nodeName?: string } = {}): Promise<void> {
  const { namespace, name, serviceAccount, address } = pod;
  await playServiceAccount(objects, namespace, serviceAccount);
  const draft = { apiVersion: "v1", kind: "Pod", metadata: { name, namespace, labels: { app: serviceAccount } } };
  const containers = ["app", "meshctl-proxy"].map((each) => ({ name: each, image: each }));
  await objects.create({ ...draft, spec: { serviceAccountName: serviceAccount, containers, ...placement } });
  const containerStatuses = containers.map((each) => ({
    ...each,
    ...{ imageID: each.image, ready: true, restartCount: 0, state: { running: { startedAt: "2026-01-01T00:00:00Z" } } },
  }));
  const conditions = [{ type: "Ready", status: "True" }];
  const status = { phase: "Running", podIP: address, podIPs: [{ ip: address }], conditions, containerStatuses };
  await objects.mergePatch({ ...draft, ...pod }, { status }, { subresource: "status" });
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
