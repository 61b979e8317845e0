// Services joined with their EndpointSlices, Pods and Nodes: whose address is it, where is it, and may it be used.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Endpoint, MeshService } from "../../../../src/control-plane/registry/mesh-snapshot.ts";
import { meshFromYaml } from "../../../support/mesh-from-yaml.ts";

const NODE_ADDRESS = "192.0.2.1";
const BASE = `
apiVersion: v1
kind: Service
metadata: { name: web, namespace: shop }
spec:
  clusterIP: 10.96.0.1
  ports: [{ name: http, port: 80 }, { name: quic, port: 443, protocol: UDP }]
---
apiVersion: v1
kind: Node
metadata: { name: one, labels: { topology.kubernetes.io/region: eu, topology.kubernetes.io/zone: eu-a } }
---
apiVersion: v1
kind: Pod
metadata: { name: web-1, namespace: shop }
spec: { serviceAccountName: web, nodeName: one }
status: { podIP: 10.244.0.2 }
---
apiVersion: v1
kind: Pod
metadata: { name: web-2, namespace: shop }
spec: { serviceAccountName: job, nodeName: one }
status: { phase: Succeeded, podIP: 10.244.0.2, podIPs: [{ ip: 10.244.0.2 }, { ip: 10.244.0.7 }] }
---
apiVersion: v1
kind: Pod
metadata: { name: agent-1, namespace: ops }
spec: { serviceAccountName: agent, nodeName: one, hostNetwork: true }
status: { podIP: ${NODE_ADDRESS} }
`;

/** The Service with one slice of these endpoints, each as YAML. */
function service(...endpoints: readonly string[]): MeshService {
  const slice = `
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: web-1, namespace: shop, labels: { kubernetes.io/service-name: web } }
addressType: IPv4
ports: [{ name: http, port: 8080 }, { name: quic, port: 8443, protocol: UDP }]
endpoints: [${endpoints.join(", ")}]
`;
  return meshFromYaml(`${BASE}---${slice}`).services.get("web.shop.svc.cluster.local")!;
}
const endpoint = (yaml: string): Endpoint => service(yaml).endpoints.get("http")![0]!;

describe("a Service's endpoint", () => {
  test("is the pod's that the slice names", () => {
    const { workload } = endpoint(`{ addresses: [10.0.0.9], targetRef: { kind: Pod, name: web-1, namespace: shop } }`);
    assert.equal(workload?.name, "web-1");
  });

  test("is that of the pod with its address, where the slice names none", () => {
    assert.equal(endpoint("{ addresses: [10.244.0.2] }").workload?.name, "web-1");
    assert.equal(endpoint("{ addresses: [10.244.0.3] }").workload, undefined);
  });

  test("is not that of a pod that has ended, whose address is another's by now", () => {
    assert.equal(endpoint("{ addresses: [10.244.0.2] }").workload?.serviceAccount, "web");
    assert.equal(endpoint("{ addresses: [10.244.0.7] }").workload, undefined);
  });

  test("at a node's address is not that of just any pod on the node's network", () => {
    assert.equal(endpoint(`{ addresses: [${NODE_ADDRESS}] }`).workload, undefined);
    const named = endpoint(`{ addresses: [${NODE_ADDRESS}], targetRef: { kind: Pod, name: agent-1, namespace: ops } }`);
    assert.equal(named.workload?.serviceAccount, "agent");
  });

  test("is in its node's zone, unless the slice says another", () => {
    const place = ({ locality: { region, zone } }: Endpoint): string => `${region}/${zone}`;
    assert.equal(place(endpoint("{ addresses: [10.0.0.9], nodeName: one }")), "eu/eu-a");
    assert.equal(place(endpoint("{ addresses: [10.244.0.2] }")), "eu/eu-a");
    assert.equal(place(endpoint("{ addresses: [10.0.0.9], nodeName: one, zone: eu-b }")), "eu/eu-b");
    assert.equal(place(endpoint("{ addresses: [10.0.0.9] }")), "/");
  });

  test("makes its account one of the Service's, once", () => {
    assert.deepEqual(service("{ addresses: [10.244.0.2] }", "{ addresses: [10.0.0.9] }").serviceAccounts, ["web"]);
  });
});

test("a Service's ports are those for TCP", () => {
  const { ports, endpoints } = service("{ addresses: [10.244.0.2] }");
  assert.deepEqual(
    ports.map((each) => each.port),
    [80],
  );
  assert.deepEqual([...endpoints.keys()], ["http"]);
});
