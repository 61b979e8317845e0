// One connection of --verify: stands where the sidecar will listen, connects as somebody else would, and tells whether
// the very connection arrived and where it had been going.
import { connect, createServer } from "node:net";
import type { Server, Socket } from "node:net";
import type { Endpoint, NativeCalls } from "./native-calls.ts";
import type { Family } from "../rules/table-rules.ts";

/** Listens in the sidecar's place on every address of a family. Rejects with Node's error when it can't. */
export function listenAsSidecar(port: number, family: Family): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen({ port, host: family === "ipv4" ? "0.0.0.0" : "::", ipv6Only: family === "ipv6" }, () => resolve(server));
  });
}

export interface Probe {
  readonly target: Endpoint;
  readonly server: Server;
  readonly timeoutMs: number;
  readonly localAddress?: string;
  /** Runs `open` where the connection shall come from (as another user, in another namespace). */
  readonly from?: (open: () => Promise<void>) => Promise<void>;
}

export type ProbeResult =
  | { readonly arrived: true; readonly original: Endpoint | undefined }
  /** `code` is the connection's error; undefined when nothing happened in time, or something else accepted. */
  | { readonly arrived: false; readonly code: string | undefined };

const atOnce = (open: () => Promise<void>): Promise<void> => open();

export async function probe(request: Probe, native: NativeCalls): Promise<ProbeResult> {
  const { target, server, timeoutMs, localAddress, from = atOnce } = request;
  const accepted: Socket[] = [];
  const result = Promise.withResolvers<ProbeResult>();
  let client: Socket | undefined;
  // Either end may report first. Somebody else may connect too: ours is the one that comes from our port.
  const settle = (): void => {
    const ours = accepted.find((socket) => client?.localPort !== undefined && socket.remotePort === client.localPort);
    if (ours !== undefined) result.resolve({ arrived: true, original: native.originalDestination(ours) });
  };
  const onConnection = (socket: Socket): void => {
    accepted.push(socket);
    socket.on("error", () => undefined);
    settle();
  };
  const timer = setTimeout(() => result.resolve({ arrived: false, code: undefined }), timeoutMs);
  server.on("connection", onConnection);
  try {
    await from(async () => {
      client = connect({ host: target.address, port: target.port, localAddress });
      client.on("connect", settle);
      client.on("error", (error: NodeJS.ErrnoException) => result.resolve({ arrived: false, code: error.code }));
      // Node makes the socket in the next tick: it takes its owner and namespace from the thread as it is then.
      await new Promise((resolve) => setImmediate(resolve));
    });
    return await result.promise;
  } finally {
    clearTimeout(timer);
    server.off("connection", onConnection);
    client?.destroy();
    for (const socket of accepted) socket.destroy();
  }
}
