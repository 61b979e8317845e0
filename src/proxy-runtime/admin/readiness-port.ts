// The sidecar's 15021: answers GET /healthz/ready and nothing else, to a kubelet that asks every few seconds. Written on
// node:net, because a probe must not be what makes the sidecar load node:http.
import type { Socket } from "node:net";
import type { DataPlaneView } from "./data-plane-view.ts";
import { listenOnAll, listenTcp } from "./listen.ts";
import type { ListeningPort } from "./listen.ts";

const MAX_HEAD_BYTES = 8192;
const HEAD_TIMEOUT_MS = 5000;

/** 200 while the data plane is LIVE, 503 otherwise; on every address given (`0.0.0.0` and `::` in a pod). */
export function startReadinessPort(hosts: readonly string[], port: number, view: Pick<DataPlaneView, "state">): Promise<ListeningPort> {
  const purpose = { what: "readiness", remedy: "use another readiness port" };
  return listenOnAll(hosts, port, (host, chosen) => listenTcp(host, chosen, purpose, (socket) => answerProbe(socket, view)));
}

function answerProbe(socket: Socket, view: Pick<DataPlaneView, "state">): void {
  let head = "";
  socket.setTimeout(HEAD_TIMEOUT_MS, () => socket.destroy());
  socket.on("data", (chunk: Buffer) => {
    if (head.endsWith("\r\n\r\n")) return;
    head += chunk.toString("latin1");
    const end = head.indexOf("\r\n\r\n");
    if (end < 0) {
      if (head.length > MAX_HEAD_BYTES) socket.destroy();
      return;
    }
    const [method, target] = head.slice(0, head.indexOf("\r\n")).split(" ");
    head = "\r\n\r\n";
    socket.end(`HTTP/1.1 ${probeStatus(method, target, view)}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
  });
}

function probeStatus(method: string | undefined, target: string | undefined, view: Pick<DataPlaneView, "state">): string {
  if (target?.split("?", 1)[0] !== "/healthz/ready") return "404 Not Found";
  if (method !== "GET" && method !== "HEAD") return "405 Method Not Allowed";
  return view.state() === "LIVE" ? "200 OK" : "503 Service Unavailable";
}
