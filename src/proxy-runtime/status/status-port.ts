// The sidecar's 15020: the application's probes and lifecycle handlers that the injector sent here, metrics of both,
// and, from inside the pod, draining and quitting.
import type { StatsStore } from "../telemetry/stats-store.ts";
import type { StatsReader } from "../telemetry/stats-reader.ts";
import { StatusPath } from "../../xds/names.ts";
import { text, type Answer } from "../admin/answer.ts";
import { answerOnce, type PlainRequest } from "../admin/answer-once.ts";
import type { DataPlaneView } from "../admin/data-plane-view.ts";
import { listenOnAll, listenTcp, type ListeningPort } from "../admin/listen.ts";
import { readiness } from "../admin/readiness-port.ts";
import { probeApp } from "./app-probe.ts";
import type { AppProber, ScrapeTarget } from "./app-probers.ts";

export interface StatusPortOptions {
  readonly view: Pick<DataPlaneView, "state" | "drainListeners" | "quit">;
  readonly reader: StatsReader;
  /** Where scrapes of the application are counted. */
  readonly store: StatsStore;
  readonly probers: ReadonlyMap<string, AppProber>;
  readonly scrapeTargets: readonly ScrapeTarget[];
  readonly podIp: string;
}

/** @throws UserError where the port can't be had. */
export function startStatusPort(hosts: readonly string[], port: number, options: StatusPortOptions): Promise<ListeningPort> {
  const purpose = { what: "status", remedy: "use another status port" };
  return listenOnAll(hosts, port, (host, chosen) =>
    listenTcp(host, chosen, purpose, (socket) => answerOnce(socket, (request) => answer(request, options))),
  );
}

function answer(request: PlainRequest, options: StatusPortOptions): Answer | Promise<Answer> {
  const { view, podIp } = options;
  const prober = options.probers.get(request.path);
  if (prober !== undefined) return probeApp(prober, request, { ip: podIp });
  switch (request.path) {
    case StatusPath.ready:
      return readiness(request, view);
    case StatusPath.metrics:
    case "/metrics":
      return metrics(request, options);
    case StatusPath.drain:
      return order(request, async () => {
        // Connections end one by one; new ones are still taken, by clients that don't know yet.
        await view.drainListeners({ inboundOnly: true, graceful: true, skipExit: true });
        return text("OK\n");
      });
    case StatusPath.quit:
      return order(request, () => ({ ...text("OK\n"), afterwards: () => view.quit() }));
    default: {
      // Istio's: kubelet asks for a path that the injector didn't write.
      const isApp = [StatusPath.appHealth, StatusPath.appLifecycle].some((each) => request.path.startsWith(`${each}/`));
      return { ...text(isApp ? `unknown probe ${request.path}\n` : "not found\n"), status: isApp ? 400 : 404 };
    }
  }
}

async function metrics(request: PlainRequest, { reader, store, scrapeTargets, podIp }: StatusPortOptions): Promise<Answer> {
  const { mergedMetrics } = await import("./merged-metrics.ts");
  return mergedMetrics(request, { reader, store, targets: scrapeTargets, podIp });
}

/** Only from inside the pod, and by POST: nobody drains a workload from outside. */
function order({ method, remoteAddress }: PlainRequest, act: () => Answer | Promise<Answer>): Answer | Promise<Answer> {
  if (!/^127\.|^::1$/.test(remoteAddress)) return { ...text("only from inside the pod\n"), status: 403 };
  return method === "POST" ? act() : { ...text("POST required\n"), status: 405 };
}
