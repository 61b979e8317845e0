// The kubelet's end of a port-forwarding as the API server double hands it on: `v4.channel.k8s.io` over a WebSocket, one
// port, and a real TCP connection to what stands for the pod. As k8s.io/kubelet's portforward/websocket.go does it.
import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import net from "node:net";
import type { Duplex } from "node:stream";
import type { ApiFailure } from "./api-status.ts";
import { encodeFrame, FrameReader, Opcode } from "../websocket-server.ts";

/** A TCP port on loopback; or what the container runtime says instead of a connection; or nothing at all, ever. */
export type ForwardTarget = { readonly port: number } | { readonly error: string } | "silent";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const PROTOCOL = "v4.channel.k8s.io";
const DATA = 0;
const ERROR = 1;

export function forwardPort(request: IncomingMessage, socket: Duplex, port: number, target: ForwardTarget | undefined): void {
  const offered = (request.headers["sec-websocket-protocol"] ?? "").split(",").map((each) => each.trim());
  if (!offered.includes(PROTOCOL)) return void socket.end("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
  const accept = createHash("sha1").update(`${request.headers["sec-websocket-key"]}${GUID}`).digest("base64");
  const head = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade", `Sec-WebSocket-Accept: ${accept}`];
  socket.write([...head, `Sec-WebSocket-Protocol: ${PROTOCOL}`, "", ""].join("\r\n"));
  if (target === "silent") return;

  const send = (channel: number, bytes: Buffer): boolean =>
    socket.write(encodeFrame(Opcode.binary, Buffer.concat([Buffer.of(channel), bytes])));
  const close = (): void => void socket.end(encodeFrame(Opcode.close, Buffer.from([1000 >> 8, 1000 & 255])));
  const portBytes = Buffer.alloc(2);
  portBytes.writeUInt16LE(port);
  send(DATA, portBytes);
  send(ERROR, portBytes);
  if (target === undefined || "error" in target) {
    const reason =
      target?.error ?? `failed to connect to localhost:${port} inside namespace: dial tcp4 127.0.0.1:${port}: connect: connection refused`;
    send(ERROR, Buffer.from(`error forwarding port ${port} to pod 0b1c, uid : ${reason}`));
    return close();
  }

  const pod = net.connect(target.port, "127.0.0.1");
  pod.on("error", (error) => send(ERROR, Buffer.from(String(error))));
  pod.on("end", close);
  pod.on("data", (bytes: Buffer) => {
    if (send(DATA, bytes)) return;
    pod.pause();
    socket.once("drain", () => pod.resume());
  });
  const reader = new FrameReader();
  socket.on("data", (bytes: Buffer) => {
    for (const { opcode, payload } of reader.push(bytes)) {
      if (opcode === Opcode.close) close();
      // Channels are bytes in front of every message; only the data channel is read.
      else if (opcode === Opcode.binary && payload[0] === DATA && !pod.write(payload.subarray(1))) {
        socket.pause();
        pod.once("drain", () => socket.resume());
      }
    }
  });
  socket.on("close", () => pod.destroy());
}

export function refuseUpgrade(socket: Duplex, failure: ApiFailure): void {
  const body = JSON.stringify(failure.toStatus());
  const head = [`HTTP/1.1 ${failure.code} ${failure.reason}`, "content-type: application/json", `content-length: ${body.length}`];
  socket.end([...head, "", body].join("\r\n"));
}
