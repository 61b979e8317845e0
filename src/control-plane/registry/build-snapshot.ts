// Objects → snapshot: joins Services with their EndpointSlices and Pods, and sorts policies by precedence. Pure.
import type { EndpointSliceObject, MeshObject, ObjectMeta, PodObject, ServiceObject, SliceEndpoint } from "../ingest/mesh-object.ts";
import { currentSettings } from "./current-settings.ts";
import { localities, UNKNOWN_LOCALITY } from "./locality.ts";
import { qualifyHost, visibilityOf } from "./host-name.ts";
import type {
  Endpoint,
  EndpointHealth,
  Locality,
  MeshService,
  MeshSettings,
  MeshSnapshot,
  ServiceAlias,
  ServicePort,
  Workload,
} from "./mesh-snapshot.ts";
import { aliasesByHost } from "./service-alias.ts";
import { protocolOf } from "./port-protocol.ts";

/** @param given what the controller was started with; the mesh's ConfigMap has the last word where it says something. */
export function buildSnapshot(version: number, objects: Iterable<MeshObject>, given: MeshSettings): MeshSnapshot {
  const sorted = [...objects].sort((a, b) => byAge(a.meta, b.meta));
  const of = <Kind extends MeshObject["kind"]>(kind: Kind): Extract<MeshObject, { kind: Kind }>[] =>
    sorted.filter((each): each is Extract<MeshObject, { kind: Kind }> => each.kind === kind);

  const settings = currentSettings(given, of("ConfigMap"));
  const byNode = localities(of("Node"));
  const workloads = new Map<string, Workload>();
  const workloadsByAddress = new Map<string, Workload>();
  for (const pod of of("Pod")) {
    const workload = toWorkload(pod, byNode.get(pod.nodeName ?? ""));
    workloads.set(`${workload.namespace}/${workload.name}`, workload);
    // Pods on the host's network share the node's address: it names none of them.
    if (!pod.hostNetwork) for (const address of workload.addresses) workloadsByAddress.set(address, workload);
  }
  const slices = groupBy(of("EndpointSlice"), (each) => `${each.meta.namespace}/${each.service}`);
  const serviceObjects = of("Service");
  const aliases = aliasesByHost(serviceObjects, settings.clusterDomain);
  const known: Known = { workloads, workloadsByAddress, byNode, aliases };
  const services = serviceObjects
    .filter((each) => each.externalName === undefined)
    .map((each) => toService(each, slices.get(`${each.meta.namespace}/${each.meta.name}`) ?? [], known, settings))
    .sort((a, b) => (a.hostname < b.hostname ? -1 : 1));

  const virtualServices = of("VirtualService").flatMap((object) =>
    object.spec.hosts.map((host) => ({ host: qualifyHost(host, object.meta.namespace, settings.clusterDomain), object })),
  );
  const byHost = groupBy(virtualServices, (each) => each.host);
  return {
    version,
    settings,
    services: new Map(services.map((each) => [each.hostname, each])),
    workloads,
    workloadsByAddress,
    virtualServices: new Map([...byHost].map(([host, entries]) => [host, entries.map((each) => each.object)])),
    destinationRules: groupBy(of("DestinationRule"), (each) => qualifyHost(each.spec.host, each.meta.namespace, settings.clusterDomain)),
    peerAuthentications: groupBy(of("PeerAuthentication"), (each) => each.meta.namespace),
  };
}

/** Oldest first; objects from files have no age, then names decide, so that the order never depends on reading order. */
function byAge(a: ObjectMeta, b: ObjectMeta): number {
  if (a.createdMs !== b.createdMs) return a.createdMs - b.createdMs;
  const [left, right] = a.name === b.name ? [a.namespace, b.namespace] : [a.name, b.name];
  return left < right ? -1 : left > right ? 1 : 0;
}

function groupBy<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  return Map.groupBy(items, key);
}

function toWorkload(pod: PodObject, locality = UNKNOWN_LOCALITY): Workload {
  const labels = pod.meta.labels;
  const workloadName = labels["service.istio.io/workload-name"] ?? pod.owner?.name ?? pod.meta.name;
  return {
    name: pod.meta.name,
    ...(pod.meta.uid === undefined ? {} : { uid: pod.meta.uid }),
    namespace: pod.meta.namespace,
    addresses: pod.addresses,
    labels,
    serviceAccount: pod.serviceAccount,
    workloadName,
    canonicalName: labels["service.istio.io/canonical-name"] ?? labels["app.kubernetes.io/name"] ?? labels["app"] ?? workloadName,
    canonicalRevision:
      labels["service.istio.io/canonical-revision"] ?? labels["app.kubernetes.io/version"] ?? labels["version"] ?? "latest",
    hasSidecar: labels["security.istio.io/tlsMode"] === "istio",
    namedPorts: pod.namedPorts,
    locality,
  };
}

/** What Services are joined with. */
interface Known {
  readonly workloads: ReadonlyMap<string, Workload>;
  readonly workloadsByAddress: ReadonlyMap<string, Workload>;
  /** By name of the node. */
  readonly byNode: ReadonlyMap<string, Locality>;
  /** By host name. */
  readonly aliases: ReadonlyMap<string, readonly ServiceAlias[]>;
}

function toService(
  object: ServiceObject,
  slices: readonly EndpointSliceObject[],
  { workloads, workloadsByAddress, byNode, aliases }: Known,
  settings: MeshSettings,
): MeshService {
  const { name, namespace } = object.meta;
  const hostname = `${name}.${namespace}.svc.${settings.clusterDomain}`;
  const ports: ServicePort[] = object.ports
    .filter((each) => each.transport === "TCP")
    .map((each) => ({ name: each.name, port: each.port, targetPort: each.targetPort, protocol: protocolOf(each) }));
  const endpoints = new Map<string, Endpoint[]>(ports.map((each) => [each.name, []]));
  for (const slice of slices) {
    for (const { name: portName, port } of slice.ports) {
      const list = endpoints.get(portName);
      if (list === undefined) continue;
      for (const each of slice.endpoints) {
        const pod = each.pod === undefined ? undefined : workloads.get(`${each.pod.namespace}/${each.pod.name}`);
        for (const address of each.addresses) {
          const workload = pod ?? workloadsByAddress.get(address);
          const place = byNode.get(each.nodeName ?? "") ?? workload?.locality ?? UNKNOWN_LOCALITY;
          // The slice's word on the zone counts: it is what the cluster itself routes by.
          const locality = each.zone === undefined || each.zone === place.zone ? place : { ...place, zone: each.zone };
          list.push({ address, port, health: healthOf(each), hostname: each.hostname, workload, locality });
        }
      }
    }
  }
  for (const list of endpoints.values()) list.sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : a.port - b.port));
  const accounts = new Set<string>();
  for (const list of endpoints.values())
    for (const each of list) if (each.workload !== undefined) accounts.add(each.workload.serviceAccount);
  return {
    hostname,
    name,
    namespace,
    addresses: object.addresses,
    headless: object.headless,
    selector: object.selector,
    ports,
    endpoints,
    serviceAccounts: [...accounts].sort(),
    exportTo: visibilityOf(object.meta.annotations),
    aliases: aliases.get(hostname) ?? [],
  };
}

function healthOf(endpoint: SliceEndpoint): EndpointHealth {
  if (endpoint.ready) return "healthy";
  return endpoint.terminating && endpoint.serving ? "draining" : "unhealthy";
}
