// A WebSocket server of a few lines (RFC 6455) on raw sockets: echoes every message, and can be told to close first.
import { createHash } from "node:crypto";
import { startRawServer, type RawPeer, type RawServer } from "./raw-peer.ts";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

export const Opcode = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface Frame {
  readonly opcode: number;
  readonly isFinal: boolean;
  readonly payload: Buffer;
}

/** A frame as a server sends it, or with a mask as a client must. */
export function encodeFrame(opcode: number, payload: Buffer, { isFinal = true, mask }: { isFinal?: boolean; mask?: Buffer } = {}): Buffer {
  const { length } = payload;
  const lengthBytes = length < 126 ? 0 : length < 65536 ? 2 : 8;
  const head = Buffer.alloc(2 + lengthBytes);
  head[0] = (isFinal ? 0x80 : 0) | opcode;
  head[1] = (mask === undefined ? 0 : 0x80) | (lengthBytes === 0 ? length : lengthBytes === 2 ? 126 : 127);
  if (lengthBytes === 2) head.writeUInt16BE(length, 2);
  if (lengthBytes === 8) head.writeBigUInt64BE(BigInt(length), 2);
  if (mask === undefined) return Buffer.concat([head, payload]);
  return Buffer.concat([head, mask, applyMask(payload, mask)]);
}

function applyMask(payload: Buffer, mask: Buffer): Buffer {
  const result = Buffer.allocUnsafe(payload.length);
  for (let index = 0; index < payload.length; index += 1) result[index] = payload[index]! ^ mask[index & 3]!;
  return result;
}

/** Gathers frames from bytes cut anywhere. */
export class FrameReader {
  #rest = Buffer.alloc(0);

  push(bytes: Buffer): Frame[] {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    const frames: Frame[] = [];
    for (;;) {
      const rest = this.#rest;
      if (rest.length < 2) return frames;
      const masked = (rest[1]! & 0x80) !== 0;
      let length = rest[1]! & 0x7f;
      let at = 2;
      if (length === 126) {
        if (rest.length < 4) return frames;
        length = rest.readUInt16BE(2);
        at = 4;
      } else if (length === 127) {
        if (rest.length < 10) return frames;
        length = Number(rest.readBigUInt64BE(2));
        at = 10;
      }
      const payloadAt = at + (masked ? 4 : 0);
      if (rest.length < payloadAt + length) return frames;
      const payload = rest.subarray(payloadAt, payloadAt + length);
      frames.push({
        opcode: rest[0]! & 0x0f,
        isFinal: (rest[0]! & 0x80) !== 0,
        payload: masked ? applyMask(payload, rest.subarray(at, payloadAt)) : Buffer.from(payload),
      });
      this.#rest = rest.subarray(payloadAt + length);
    }
  }
}

export interface WebSocketPeer {
  readonly raw: RawPeer;
  /** The request's head as it came. */
  readonly head: string;
  /** Opcodes of the frames received. */
  readonly opcodes: number[];
  send(opcode: number, payload: Buffer): void;
}

export interface WebSocketServer extends RawServer {
  readonly sockets: readonly WebSocketPeer[];
}

/** Requests without an upgrade are answered `200 plain`. */
export async function startWebSocketServer(): Promise<WebSocketServer> {
  const sockets: WebSocketPeer[] = [];
  const server = await startRawServer((raw) => {
    let head = "";
    let socket: WebSocketPeer | undefined;
    const reader = new FrameReader();
    raw.socket.removeAllListeners("data");
    raw.socket.on("data", (chunk: Buffer) => {
      if (socket !== undefined) return onFrames(socket, reader.push(chunk));
      head += chunk.latin1Slice();
      const end = head.indexOf("\r\n\r\n") + 4;
      if (end < 4) return;
      const early = Buffer.from(head.slice(end), "latin1");
      const key = /\r\nsec-websocket-key: (\S+)\r\n/i.exec(head)?.[1];
      if (key === undefined || !/\r\nupgrade: websocket\r\n/i.test(head)) {
        raw.write("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nplain");
        head = "";
        return;
      }
      const accept = createHash("sha1")
        .update(key + GUID)
        .digest("base64");
      raw.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
      socket = { raw, head: head.slice(0, end), opcodes: [], send: (opcode, payload) => void raw.write(encodeFrame(opcode, payload)) };
      sockets.push(socket);
      onFrames(socket, reader.push(early));
    });
  });
  return Object.assign(server, { sockets });
}

function onFrames(socket: WebSocketPeer, frames: readonly Frame[]): void {
  for (const { opcode, isFinal, payload } of frames) {
    socket.opcodes.push(opcode);
    if (opcode === Opcode.close) {
      socket.raw.write(encodeFrame(Opcode.close, payload));
      socket.raw.end();
    } else if (opcode === Opcode.ping) socket.raw.write(encodeFrame(Opcode.pong, payload));
    else if (opcode !== Opcode.pong) socket.raw.write(encodeFrame(opcode, payload, { isFinal }));
  }
}
