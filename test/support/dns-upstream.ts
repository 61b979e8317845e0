// A nameserver for tests that says exactly what it is told to, over UDP and TCP on one port.
import { createSocket } from "node:dgram";
import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";

export type Say = (query: Buffer, reply: (answer: Buffer) => void, over: "udp" | "tcp", clientPort: number) => void;

export interface DnsUpstream {
  readonly port: number;
  readonly host: string;
  stop(): void;
}

export async function startUpstream(say: Say): Promise<DnsUpstream> {
  const sockets = new Set<Socket>();
  const tcp = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => {
      const reply = (answer: Buffer) => {
        const length = Buffer.alloc(2);
        length.writeUInt16BE(answer.length);
        socket.write(Buffer.concat([length, answer]));
      };
      say(Buffer.from(chunk.subarray(2)), reply, "tcp", socket.remotePort ?? 0);
    });
  });
  await new Promise<void>((resolve) => tcp.listen(0, "127.0.0.1", resolve));
  const { port } = tcp.address() as AddressInfo;
  const udp = createSocket("udp4");
  udp.on("message", (query, from) => say(query, (answer) => udp.send(answer, from.port, from.address), "udp", from.port));
  await new Promise<void>((resolve) => udp.bind(port, "127.0.0.1", resolve));
  return {
    port,
    host: "127.0.0.1",
    stop() {
      udp.close();
      tcp.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** The query turned into an answer with these A records (and TC where asked). */
export function answerTo(query: Buffer, addresses: readonly string[], { truncated = false, code = 0 } = {}): Buffer {
  let end = 12;
  while (query[end] !== 0) end += 1 + query[end]!;
  const head = Buffer.from(query.subarray(0, end + 5));
  head.writeUInt16BE(0x8180 | (truncated ? 0x0200 : 0) | code, 2);
  head.writeUInt16BE(addresses.length, 6);
  head.writeUInt32BE(0, 8);
  const records = addresses.map((address) => Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, ...address.split(".").map(Number)]));
  return Buffer.concat([head, ...records]);
}
