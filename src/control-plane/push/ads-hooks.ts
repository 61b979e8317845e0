// What the ADS server asks of the control plane, and what it tells: admission, resources, log, metrics.
import type { Logger } from "../../common/log.ts";
import type { AdsHooks } from "../../xds/ads-server.ts";
import { TypeUrl } from "../../xds/names.ts";
import type { ControlMetrics } from "../admin/control-metrics.ts";
import { shorten } from "../../common/shorten.ts";
import type { ProxyNode } from "../translate/proxy-view.ts";
import { admitProxy } from "./proxy-node.ts";
import type { FindPod } from "./proxy-node.ts";
import type { StreamAges } from "./stream-ages.ts";
import type { PushCoordinator } from "./push-coordinator.ts";

const SHORT_TYPES: Readonly<Record<string, string>> = {
  [TypeUrl.cluster]: "cds",
  [TypeUrl.endpoints]: "eds",
  [TypeUrl.listener]: "lds",
  [TypeUrl.route]: "rds",
  [TypeUrl.nameTable]: "nds",
};

/** Of what a proxy says. */
const MAX_LOGGED_CHARS = 4_096;

/** @param ages undefined: streams may become as old as they like. */
export function adsHooks(pushes: PushCoordinator, metrics: ControlMetrics, log: Logger, ages: StreamAges | undefined): AdsHooks<ProxyNode> {
  return {
    admit: (node, identity) => {
      const findPod: FindPod = (namespace, name) => pushes.cache.snapshot.workloads.get(`${namespace}/${name}`);
      const admission = admitProxy(node, identity, findPod);
      if (!admission.ok) {
        metrics.countRefusal(admission.isTemporary === true ? "unavailable" : "permission_denied");
        log.warn({ node: shorten(node.id, MAX_LOGGED_CHARS), reason: admission.reason }, "proxy refused");
      }
      return admission;
    },
    resourcesFor: (proxy) => pushes.cache.resourcesFor(proxy),
    onConnected: (connection) => {
      pushes.connected(connection);
      ages?.opened(connection);
      log.info({ proxy: connection.proxy.id, peer: connection.peer }, "proxy connected");
    },
    onDisconnected: (connection) => {
      pushes.disconnected(connection);
      ages?.closed(connection);
      log.info({ proxy: connection.proxy.id }, "proxy disconnected");
    },
    onSent: (connection, typeUrl, resources) => {
      metrics.countPush(SHORT_TYPES[typeUrl] ?? "other");
      log.debug({ proxy: connection.proxy.id, type: SHORT_TYPES[typeUrl], resources }, "sent");
    },
    onRefused: (connection, typeUrl, message) => {
      metrics.countReject(SHORT_TYPES[typeUrl] ?? "other");
      log.error(
        { proxy: connection.proxy.id, type: SHORT_TYPES[typeUrl], reason: shorten(message, MAX_LOGGED_CHARS) },
        "proxy refused its configuration",
      );
    },
    onUnauthenticated: (peer, reason) => {
      metrics.authenticationFailures++;
      metrics.countRefusal("unauthenticated");
      log.warn({ peer, reason }, "proxy not authenticated");
    },
    onUndecided: (peer, reason) => {
      metrics.countRefusal("unavailable");
      log.warn({ peer, reason }, "proxy can't be authenticated now");
    },
  };
}
