// kube-proxy for one Service: its ClusterIP, reachable from every pod, leads each connection to one of the endpoints.
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { Server, Socket } from "node:net";

export class PlayedProxy {
  /** Addresses behind the Service; without one, connections are refused in the only way that is left: reset. */
  endpoints: readonly string[] = [];
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();
  #next = 0;

  /** @param ports of the Service, each the same as its target port. */
  async start(clusterIp: string, ports: readonly number[]): Promise<void> {
    execFileSync("ip", ["addr", "add", `${clusterIp}/32`, "dev", "lo"]);
    for (const port of ports) {
      const server = createServer((client) => this.#relay(client, port)).listen(port, clusterIp);
      this.#servers.push(server);
      await once(server, "listening");
    }
  }

  stop(): void {
    for (const each of this.#servers) each.close();
    for (const each of this.#sockets) each.destroy();
  }

  #relay(client: Socket, port: number): void {
    const address = this.endpoints[this.#next++ % this.endpoints.length];
    if (address === undefined) return void client.resetAndDestroy();
    const server = connect(port, address);
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(one);
      one.on("error", () => other.destroy()).on("close", () => this.#sockets.delete(one) && other.destroy());
      one.pipe(other);
    }
  }
}
