// Which ports of a workload some service names, and as what protocol.
import type { MeshService, MeshSnapshot, PortProtocol, ServicePort, Workload } from "../registry/mesh-snapshot.ts";
import { effectiveMtls, portsWithOwnMode, selects } from "../registry/peer-authentication.ts";
import type { MtlsMode } from "../registry/peer-authentication.ts";
import type { ProxyView } from "./proxy-view.ts";

export interface InboundPort {
  /** The workload's own port. */
  readonly port: number;
  readonly protocol: PortProtocol;
  readonly mode: MtlsMode;
  /** The service that names it; undefined: only a policy does. */
  readonly service: MeshService | undefined;
  readonly servicePort: ServicePort | undefined;
}

export function inboundPorts(snapshot: MeshSnapshot, view: ProxyView): InboundPort[] {
  const found = new Map<number, InboundPort>();
  const services = [...snapshot.services.values()].filter((each) => each.namespace === view.namespace);
  // A headless service beside another one finds the same pods by name; the other one is what clients call.
  for (const service of [...services.filter((each) => !each.headless), ...services.filter((each) => each.headless)]) {
    for (const servicePort of service.ports) {
      for (const port of targetPorts(service, servicePort, view)) {
        // Two services on one port: the first by name says what it is.
        if (!found.has(port))
          found.set(port, { port, protocol: servicePort.protocol, mode: effectiveMtls(snapshot, view, port).mode, service, servicePort });
      }
    }
  }
  for (const port of portsWithOwnMode(snapshot, view)) {
    if (!found.has(port))
      found.set(port, {
        port,
        protocol: "auto",
        mode: effectiveMtls(snapshot, view, port).mode,
        service: undefined,
        servicePort: undefined,
      });
  }
  return [...found.values()].sort((a, b) => a.port - b.port);
}

/** By the endpoints that are this workload; before it is among them, by the service's selector. */
function targetPorts(service: MeshService, servicePort: ServicePort, view: ProxyView): number[] {
  const own = (service.endpoints.get(servicePort.name) ?? []).filter(
    (each) => (view.workload !== undefined && each.workload === view.workload) || view.addresses.includes(each.address),
  );
  if (own.length > 0) return [...new Set(own.map((each) => each.port))];
  if (Object.keys(service.selector).length === 0 || !selects(service.selector, view.labels)) return [];
  const port = resolveTargetPort(servicePort, view.workload);
  return port === undefined ? [] : [port];
}

export function resolveTargetPort(servicePort: ServicePort, workload: Workload | undefined): number | undefined {
  return typeof servicePort.targetPort === "number" ? servicePort.targetPort : workload?.namedPorts[servicePort.targetPort];
}
