// (snapshot, proxy) → every resource of that proxy. Pure: no I/O, no clock, no logger. Outbound resources depend only on
// the scope, so proxies of one scope may share them.
import { NAME_TABLE_RESOURCE } from "../../xds/names.ts";
import { nameTable } from "../dns/name-table.ts";
import type { MeshSnapshot } from "../registry/mesh-snapshot.ts";
import { inboundBuiltinClusters, outboundBuiltinClusters } from "./builtin-clusters.ts";
import { outboundEndpoints } from "./endpoints.ts";
import { inboundClusters, virtualInbound } from "./inbound.ts";
import { inboundPorts } from "./inbound-ports.ts";
import { outboundClusters } from "./outbound-clusters.ts";
import { outboundListeners } from "./outbound-listeners.ts";
import { outboundRoutes } from "./outbound-routes.ts";
import { visibleServices } from "./outbound-scope.ts";
import type { OutboundScope } from "./outbound-scope.ts";
import type { ProxyView } from "./proxy-view.ts";
import { byName } from "./resources.ts";
import type { Resources } from "./resources.ts";

export function translateOutbound(snapshot: MeshSnapshot, scope: OutboundScope): Resources {
  const services = visibleServices(snapshot, scope.namespace);
  return {
    clusters: byName([...outboundClusters(snapshot, scope.namespace, services), ...outboundBuiltinClusters()]),
    endpoints: outboundEndpoints(snapshot, scope, services),
    listeners: byName(outboundListeners(snapshot, scope, services)),
    routes: byName(outboundRoutes(snapshot, scope, services)),
    nameTables: new Map([[NAME_TABLE_RESOURCE, nameTable(snapshot)]]),
  };
}

export function translateInbound(snapshot: MeshSnapshot, view: ProxyView): Resources {
  const ports = inboundPorts(snapshot, view);
  return {
    clusters: byName([...inboundClusters(view, ports), ...inboundBuiltinClusters(view)]),
    endpoints: new Map(),
    listeners: byName([virtualInbound(snapshot, view, ports)]),
    routes: new Map(),
    nameTables: new Map(),
  };
}
