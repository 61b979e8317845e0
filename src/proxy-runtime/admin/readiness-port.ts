// The sidecar's 15021: answers GET /healthz/ready and nothing else, to a kubelet that asks every few seconds.
import { text, type Answer } from "./answer.ts";
import { answerOnce, type PlainRequest } from "./answer-once.ts";
import type { DataPlaneView } from "./data-plane-view.ts";
import { listenOnAll, listenTcp } from "./listen.ts";
import type { ListeningPort } from "./listen.ts";

/** 200 while the data plane is LIVE, 503 otherwise; on every address given (`0.0.0.0` and `::` in a pod). */
export function startReadinessPort(hosts: readonly string[], port: number, view: Pick<DataPlaneView, "state">): Promise<ListeningPort> {
  const purpose = { what: "readiness", remedy: "use another readiness port" };
  return listenOnAll(hosts, port, (host, chosen) =>
    listenTcp(host, chosen, purpose, (socket) =>
      answerOnce(socket, (request) => (request.path === "/healthz/ready" ? readiness(request, view) : { ...text(""), status: 404 })),
    ),
  );
}

export function readiness({ method }: PlainRequest, view: Pick<DataPlaneView, "state">): Answer {
  if (method !== "GET" && method !== "HEAD") return { ...text(""), status: 405 };
  return { ...text(""), status: view.state() === "LIVE" ? 200 : 503 };
}
