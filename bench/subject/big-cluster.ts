// A cluster with many Services, each with Pods and an EndpointSlice, in the API server double.
import { ApiServer } from "../../test/support/api-server/api-server.ts";

export const NAMESPACES = 20;

/** Services `s0`, `s1`, … spread over the namespaces `n0` to `n19`; every endpoint is a meshed pod. */
export async function startBigCluster(services: number, endpointsEach: number): Promise<ApiServer> {
  const api = new ApiServer();
  await api.start();
  const create = (apiVersion: string, kind: string, name: string, namespace: string | undefined, rest: object, labels = {}): void => {
    api.create({ apiVersion, kind, metadata: { name, namespace, labels }, ...rest });
  };
  for (let n = 0; n < NAMESPACES; n++) create("v1", "Namespace", `n${n}`, undefined, {});
  for (let each = 0; each < services; each++) {
    const [name, namespace] = [`s${each}`, `n${each % NAMESPACES}`];
    const labels = { app: name, "security.istio.io/tlsMode": "istio" };
    const ports = [{ name: "http", port: 80, targetPort: 8080, protocol: "TCP" }];
    const clusterIP = `10.96.${each >> 8}.${each & 255}`;
    create("v1", "Service", name, namespace, {
      spec: { type: "ClusterIP", clusterIP, clusterIPs: [clusterIP], selector: { app: name }, ports },
    });
    const endpoints = Array.from({ length: endpointsEach }, (_, index) => {
      const number = each * endpointsEach + index;
      const pod = `${name}-${index}`;
      const podIP = `10.${128 + (number >> 16)}.${(number >> 8) & 255}.${number & 255}`;
      const spec = {
        serviceAccountName: name,
        nodeName: `node${number % 100}`,
        containers: [{ name: "app", ports: [{ containerPort: 8080 }] }],
      };
      const status = { phase: "Running", podIP, podIPs: [{ ip: podIP }], conditions: [{ type: "Ready", status: "True" }] };
      create("v1", "Pod", pod, namespace, { spec, status }, labels);
      const targetRef = { kind: "Pod", name: pod, namespace };
      return { addresses: [podIP], conditions: { ready: true }, nodeName: spec.nodeName, targetRef };
    });
    const slice = { addressType: "IPv4", endpoints, ports: [{ name: "http", port: 8080, protocol: "TCP" }] };
    create("discovery.k8s.io/v1", "EndpointSlice", `${name}-1`, namespace, slice, { "kubernetes.io/service-name": name });
  }
  return api;
}
