// A node of a real API server as far as port-forwarding goes: a Node object, and the kubelet's HTTPS port behind it.
import { once } from "node:events";
import { createServer } from "node:https";
import type { KubeObjects } from "../../../src/kube/objects.ts";
import { forwardPort } from "../api-server/kubelet.ts";
import type { ForwardTarget } from "../api-server/kubelet.ts";
import { selfSigned } from "../openssl.ts";

const PORT = 10250;

export class KubeletDouble {
  readonly node: string;
  readonly #address: string;
  readonly #server;
  /** Where a pod's port is; undefined: nothing listens there. */
  forward: (namespace: string, pod: string, port: number) => ForwardTarget | undefined = () => undefined;

  /** @param address one of the cluster's that nothing listens on. */
  constructor(node: string, address: string) {
    this.node = node;
    this.#address = address;
    // The API server doesn't verify a kubelet's certificate unless it is told an authority.
    const { certificate, key } = selfSigned(`IP:${address}`);
    this.#server = createServer({ cert: certificate, key }, (_request, response) => response.writeHead(404).end());
    this.#server.on("upgrade", (request, socket) => {
      const url = new URL(request.url ?? "/", "https://kubelet");
      const [, verb, namespace = "", pod = ""] = url.pathname.split("/");
      const port = Number(url.searchParams.get("port"));
      socket.on("error", () => undefined);
      if (verb !== "portForward") return void socket.end("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
      forwardPort(request, socket, port, this.forward(namespace, pod, port));
    });
  }

  async start(objects: KubeObjects): Promise<void> {
    await once(this.#server.listen(PORT, this.#address), "listening");
    const node = { apiVersion: "v1", kind: "Node", metadata: { name: this.node } };
    await objects.create(node);
    const status = {
      addresses: [{ type: "InternalIP", address: this.#address }],
      daemonEndpoints: { kubeletEndpoint: { Port: PORT } },
      conditions: [{ type: "Ready", status: "True", reason: "Played", message: "", lastTransitionTime: "2026-01-01T00:00:00Z" }],
    };
    await objects.mergePatch({ ...node, name: this.node }, { status }, { subresource: "status" });
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
