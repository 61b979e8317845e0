// LDS, outbound: `10.96.0.7_3306`, the listener of one address and port of a service whose port is not declared HTTP.
// Bytes go to that service; where its bytes are to tell, there is a chain for HTTP beside.
import { create } from "@bufbuild/protobuf";
import { TrafficDirection } from "../../xds/gen/envoy/config/core/v3/base_pb.ts";
import { ListenerSchema } from "../../xds/gen/envoy/config/listener/v3/listener_pb.ts";
import type { Listener } from "../../xds/gen/envoy/config/listener/v3/listener_pb.ts";
import { listenerFilter, sniffing } from "./listener-parts.ts";
import { httpChain } from "./outbound-http-chain.ts";
import { sniffedRouteName } from "./outbound-routes.ts";
import { relayChain, tcpTargets } from "./relay-chain.ts";
import type { RelayPlace } from "./relay-chain.ts";
import { tlsRouteChains } from "./tls-routes.ts";
import { toAddress } from "./wire-values.ts";

export function addressListener(place: RelayPlace, address: string, at: number): Listener {
  const { snapshot, service, port } = place;
  const name = `${address}_${at}`;
  const chain = relayChain(place, name, tcpTargets(place));
  const common = {
    name,
    address: toAddress(address, at),
    bindToPort: false,
    trafficDirection: TrafficDirection.OUTBOUND,
  };
  // Declared, or known by its number: nobody waits for first bytes, since the server may speak first.
  if (port.protocol === "tcp") return create(ListenerSchema, { ...common, filterChains: [chain] });
  if (port.protocol === "tls") {
    return create(ListenerSchema, {
      ...common,
      // Looked at for the server name, which the access log tells too; without one the address alone decides.
      listenerFilters: [listenerFilter("tls_inspector")],
      ...sniffing(snapshot.settings),
      filterChains: tlsRouteChains(place, name),
      defaultFilterChain: chain,
    });
  }
  return create(ListenerSchema, {
    ...common,
    listenerFilters: [listenerFilter("tls_inspector"), listenerFilter("http_inspector")],
    ...sniffing(snapshot.settings),
    filterChains: [httpChain(snapshot.settings, name, sniffedRouteName(service, port))],
    defaultFilterChain: chain,
  });
}
