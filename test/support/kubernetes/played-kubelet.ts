// The kubelet of a node that isn't there, as far as the API server calls one: it takes port-forwardings and connects them
// to the network namespaces of the pods' processes.
import type { IncomingMessage } from "node:http";
import { createServer } from "node:https";
import { once } from "node:events";
import net from "node:net";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import type { KubeObjects } from "../../../src/kube/objects.ts";
import { NetworkNamespace } from "../../../src/local/network/namespace-socket.ts";
import { forwardPort } from "../api-server/kubelet.ts";
import { selfSigned } from "../openssl.ts";

export const NODE_NAME = "node-1";

export class PlayedKubelet {
  /** `<port> <namespace>/<pod>` of every forwarding that it was asked for. */
  readonly asked: string[] = [];
  readonly #tls = selfSigned("DNS:node-1");
  readonly #server = createServer({ cert: this.#tls.certificate, key: this.#tls.key });
  readonly #relays = new Set<net.Server>();
  readonly #sockets = new Set<Duplex>();
  /** Ports of this process by pod and port, `shop/web:15000`. */
  readonly #ports = new Map<string, number>();

  /** Listens, and registers the node. */
  async start(objects: KubeObjects, address: string): Promise<void> {
    this.#server.on("upgrade", (request, socket) => this.#upgrade(request, socket));
    this.#server.listen(0, address);
    await once(this.#server, "listening");
    const { port } = this.#server.address() as AddressInfo;
    const node = { apiVersion: "v1", kind: "Node", metadata: { name: NODE_NAME } };
    await objects.create({ ...node, spec: {} });
    const status = {
      addresses: [{ type: "InternalIP", address }],
      daemonEndpoints: { kubeletEndpoint: { Port: port } },
      conditions: [{ type: "Ready", status: "True" }],
    };
    await objects.mergePatch({ ...node, name: NODE_NAME }, { status }, { subresource: "status" });
  }

  /** A pod's port leads to one of this process. */
  lead(pod: string, port: number, target: number): void {
    this.#ports.set(`${pod}:${port}`, target);
  }

  /** A pod's port leads to the loopback of the namespace that a process is in. */
  async leadInto(pod: string, port: number, pid: number): Promise<void> {
    const namespace = new NetworkNamespace(`/proc/${pid}/ns/net`);
    const relay = net.createServer((socket) => {
      try {
        const inner = namespace.connect("127.0.0.1", port);
        for (const each of [socket, inner]) each.on("error", () => undefined);
        socket.pipe(inner).pipe(socket);
      } catch {
        socket.destroy();
      }
    });
    relay.listen(0, "127.0.0.1");
    await once(relay, "listening");
    this.#relays.add(relay);
    this.lead(pod, port, (relay.address() as AddressInfo).port);
  }

  async stop(): Promise<void> {
    for (const each of this.#sockets) each.destroy();
    for (const each of [this.#server, ...this.#relays]) each.close();
  }

  #upgrade(request: IncomingMessage, socket: Duplex): void {
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket)).on("error", () => undefined);
    const url = new URL(request.url ?? "/", "https://node");
    const [, path, namespace, pod] = url.pathname.split("/");
    if (path !== "portForward") return void socket.end("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
    const port = Number(url.searchParams.get("port"));
    this.asked.push(`${port} ${namespace}/${pod}`);
    const target = this.#ports.get(`${namespace}/${pod}:${port}`);
    forwardPort(request, socket, port, target === undefined ? undefined : { port: target });
  }
}
