// What the monitoring port shows, drawn from the running control plane when somebody asks.
import { VERSION } from "../../common/version.ts";
import type { Ingest } from "../ingest/ingest.ts";
import type { PushCoordinator } from "../push/push-coordinator.ts";
import { authenticationReport } from "./authentication-report.ts";
import type { ControlMetrics } from "./control-metrics.ts";
import type { MonitoringViews } from "./monitoring-server.ts";
import { proxyResources } from "./proxy-resources.ts";
import { syncStatus } from "./sync-status.ts";

export interface MonitoredParts {
  readonly ingest: Ingest;
  readonly pushes: PushCoordinator;
  readonly metrics: ControlMetrics;
  /** When the CA's signing path expires; undefined: there is no CA. */
  readonly rootExpiryMs: number | undefined;
  /** Whether sidecars may be sent here. The port opens last: whoever reaches it reaches the rest. */
  readonly isReady: () => boolean;
  /** Metrics of other parts, as text. */
  readonly more: () => string;
}

export function monitoringViews({ ingest, pushes, metrics, rootExpiryMs, isReady, more }: MonitoredParts): MonitoringViews {
  return {
    isReady,
    version: () => VERSION,
    metrics: () => {
      const { snapshot } = pushes.cache;
      const own = metrics.render({
        services: snapshot.services.size,
        virtualServices: new Set([...snapshot.virtualServices.values()].flat()).size,
        connectedProxies: pushes.connections.size,
        problems: ingest.problems().length,
        rootExpirySeconds: rootExpiryMs === undefined ? undefined : Math.floor(rootExpiryMs / 1000),
      });
      return own + more();
    },
    debug: {
      "/debug/problems": () => ingest.problems(),
      "/debug/syncz": () => syncStatus(pushes.connections, pushes.cache.snapshot.settings.clusterId),
      "/debug/config_dump": (query) => {
        const connection = [...pushes.connections].find(({ proxy }) => `${proxy.pod}.${proxy.namespace}` === query.get("proxyID"));
        return connection === undefined ? undefined : proxyResources(connection, pushes.cache.resourcesFor(connection.proxy));
      },
      "/debug/registryz": () =>
        [...pushes.cache.snapshot.services.values()].map((each) => ({ ...each, endpoints: Object.fromEntries(each.endpoints) })),
      "/debug/authenticationz": (query) => {
        const proxyId = query.get("proxyID");
        const namespace = proxyId === null ? undefined : namespaceOf(pushes, proxyId);
        return namespace === undefined ? undefined : authenticationReport(pushes.cache.snapshot, namespace);
      },
    },
  };
}

/** `<pod>.<namespace>`, of a connected proxy or a known pod. */
function namespaceOf(pushes: PushCoordinator, proxyId: string): string | undefined {
  for (const { proxy } of pushes.connections) if (`${proxy.pod}.${proxy.namespace}` === proxyId) return proxy.namespace;
  const dot = proxyId.lastIndexOf(".");
  const [pod, namespace] = [proxyId.slice(0, dot), proxyId.slice(dot + 1)];
  return pushes.cache.snapshot.workloads.has(`${namespace}/${pod}`) ? namespace : undefined;
}
