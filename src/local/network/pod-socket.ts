// The unix socket in the run folder that leads to any port on a pod's loopback: the local port-forward.
// Protocol: the client sends `<port>\n`, gets `OK\n` or `ERR <reason>\n`, then bytes flow both ways with half-close.
import { rmSync } from "node:fs";
import net from "node:net";
import type { NetworkNamespace } from "./namespace-socket.ts";
import { relay } from "./relay.ts";

const REQUEST_LIMIT = 16;
const REQUEST_TIMEOUT_MS = 5000;

function parsePort(line: string): number | undefined {
  const port = Number(line);
  return /^\d{1,5}$/.test(line) && port >= 1 && port <= 65535 ? port : undefined;
}

function connectLoopback(namespace: NetworkNamespace, port: number): net.Socket {
  try {
    return namespace.connect("127.0.0.1", port);
  } catch (error) {
    try {
      return namespace.connect("::1", port);
    } catch {
      throw error;
    }
  }
}

function serve(client: net.Socket, namespace: NetworkNamespace): void {
  let request = "";
  client.setTimeout(REQUEST_TIMEOUT_MS, () => client.destroy());
  client.on("error", () => undefined);
  const onReadable = (): void => {
    // Byte by byte: what follows the line belongs to the pod.
    for (let byte = client.read(1) as Buffer | null; byte !== null; byte = client.read(1) as Buffer | null) {
      if (byte[0] !== 10) {
        request += byte.toString("latin1");
        if (request.length <= REQUEST_LIMIT) continue;
      }
      client.off("readable", onReadable);
      client.setTimeout(0);
      const port = parsePort(request);
      if (port === undefined) return void client.end("ERR the request is not a port number\n");
      try {
        const pod = connectLoopback(namespace, port);
        client.write("OK\n");
        relay(client, pod);
      } catch (error) {
        client.end(`ERR ${error instanceof Error ? error.message : String(error)}\n`);
      }
      return;
    }
  };
  client.on("readable", onReadable);
}

/** Serves the pod's socket until the returned server is closed. */
export function openPodSocket(path: string, namespace: NetworkNamespace): Promise<net.Server> {
  return new Promise((resolve, reject) => {
    const server = net.createServer({ allowHalfOpen: true }, (client) => serve(client, namespace));
    rmSync(path, { force: true });
    server.once("error", reject).listen(path, () => resolve(server));
  });
}
