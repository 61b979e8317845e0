// Pods and EndpointSlices as a cluster's API server would show them: what the controller reads beside the user's YAML.
import type { KubeObject, Service, ServicePort } from "../../manifests/kube-objects.ts";
import { GATEWAY } from "../network/address-pool.ts";
import { NODE_NAME, type Pod } from "../pod/pod.ts";

export function podObject(pod: Pod): KubeObject & { readonly spec: unknown; readonly status: unknown } {
  const { metadata, spec, ips } = pod.facts;
  const ready = pod.isReady;
  const { phase } = pod.info();
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      ...metadata,
      creationTimestamp: pod.createdAt,
      ...(pod.isTerminating ? { deletionTimestamp: pod.createdAt } : {}),
    },
    spec: { ...spec, nodeName: NODE_NAME },
    status: {
      phase: phase === "Terminating" ? "Running" : phase,
      podIP: ips[0],
      podIPs: ips.map((ip) => ({ ip })),
      hostIP: GATEWAY.v4,
      startTime: pod.createdAt,
      conditions: [
        { type: "Ready", status: ready ? "True" : "False" },
        { type: "ContainersReady", status: ready ? "True" : "False" },
      ],
    },
  };
}

function selects(service: Service, pod: Pod): boolean {
  const selector = Object.entries(service.spec.selector ?? {});
  const labels = pod.facts.metadata.labels ?? {};
  return (
    selector.length > 0 &&
    pod.facts.metadata.namespace === (service.metadata.namespace ?? "default") &&
    selector.every(([key, value]) => labels[key] === value)
  );
}

function targetPort(port: ServicePort, pod: Pod): number | undefined {
  const target = port.targetPort ?? port.port;
  return typeof target === "number" ? target : pod.portNumber(target);
}

/** Pods whose named ports have the same numbers share a slice, as in a cluster. */
function groupByPorts(ports: readonly ServicePort[], pods: readonly Pod[]): Map<string, { numbers: (number | undefined)[]; pods: Pod[] }> {
  const groups = new Map<string, { numbers: (number | undefined)[]; pods: Pod[] }>();
  for (const pod of pods) {
    const numbers = ports.map((port) => targetPort(port, pod));
    const key = numbers.join(",");
    const group = groups.get(key) ?? { numbers, pods: [] };
    group.pods.push(pod);
    groups.set(key, group);
  }
  return groups;
}

/** The Service's slices: one for each address family and set of port numbers. */
export function endpointSlices(service: Service, pods: readonly Pod[], hasV6: boolean): KubeObject[] {
  const name = service.metadata.name ?? "";
  const namespace = service.metadata.namespace ?? "default";
  const ports = service.spec.ports ?? [];
  const selected = pods.filter((pod) => selects(service, pod));
  const groups = groupByPorts(ports, selected);
  // A Service without pods has a slice too: "no endpoints" is a fact that the controller must hear.
  if (groups.size === 0)
    groups.set("", { numbers: ports.map((port) => (typeof port.targetPort === "number" ? port.targetPort : port.port)), pods: [] });
  const families = hasV6 ? ["IPv4", "IPv6"] : ["IPv4"];
  return [...groups.values()].flatMap((group, index) =>
    families.map((family) => ({
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: {
        name: `${name}-${index}-${family.toLowerCase()}`,
        namespace,
        labels: { "kubernetes.io/service-name": name, "endpointslice.kubernetes.io/managed-by": "local.meshctl.io" },
      },
      addressType: family,
      ports: ports.flatMap((port, portIndex) => {
        const number = group.numbers[portIndex];
        if (number === undefined) return [];
        const appProtocol = port.appProtocol === undefined ? {} : { appProtocol: port.appProtocol };
        return [{ name: port.name ?? "", port: number, protocol: port.protocol ?? "TCP", ...appProtocol }];
      }),
      endpoints: group.pods.map((pod) => endpoint(pod, family, service)),
    })),
  );
}

function endpoint(pod: Pod, family: string, service: Service): unknown {
  const { name, namespace, uid } = pod.facts.metadata;
  const ready = pod.isReady || service.spec.publishNotReadyAddresses === true;
  return {
    addresses: pod.facts.ips.filter((ip) => ip.includes(":") === (family === "IPv6")),
    conditions: { ready: ready && !pod.isTerminating, serving: ready, terminating: pod.isTerminating },
    nodeName: NODE_NAME,
    targetRef: { kind: "Pod", name, namespace, uid },
  };
}
