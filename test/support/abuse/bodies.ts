// Clients of large bodies: one that reads them slowly and keeps nothing, one that writes them as fast as it may.
import { once } from "node:events";
import { connect } from "node:net";
import type { Socket } from "node:net";
import type { Writable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";

const BLOCK = Buffer.alloc(64 * 1024, "y");
const STOP_EVERY_BYTES = 16 * 1024 * 1024;
const STOP_MS = 30;

export async function open(port: number, host = "127.0.0.1"): Promise<Socket> {
  const socket = connect({ port, host, allowHalfOpen: true });
  await once(socket, "connect");
  socket.on("error", () => undefined);
  return socket;
}

/** Reads until `count` bytes have come; does not read at all at first, and stops again and again. @throws when fewer come. */
export async function readSlowly(socket: Socket, count: number, stallMs: number): Promise<void> {
  await delay(stallMs);
  let seen = 0;
  let nextStop = STOP_EVERY_BYTES;
  await new Promise<void>((done, fail) => {
    socket.on("data", (piece: Buffer) => {
      seen += piece.length;
      if (seen >= count) return done();
      if (seen < nextStop) return;
      nextStop += STOP_EVERY_BYTES;
      socket.pause();
      setTimeout(() => socket.resume(), STOP_MS);
    });
    const tooFew = (): void => fail(new Error(`${seen} bytes of ${count} came`));
    socket.once("end", tooFew).once("close", tooFew);
  });
}

/** Writes `count` bytes, waiting whenever the socket wants it. @throws when the connection ends before. */
export async function writeAll(socket: Socket, count: number): Promise<void> {
  for (let left = count; left > 0; left -= BLOCK.length) {
    if (socket.destroyed) throw new Error(`the connection was closed ${left} bytes before the end`);
    if (socket.write(left < BLOCK.length ? BLOCK.subarray(0, left) : BLOCK)) continue;
    await untilWritable(socket);
  }
}

/** Resolves when there is room again, or never will be. */
export function untilWritable(stream: Writable): Promise<void> {
  return new Promise((done) => {
    const go = (): void => {
      stream.off("drain", go).off("close", go);
      done();
    };
    stream.on("drain", go).on("close", go);
  });
}

/** Resolves once the text received contains `part`. @throws when the connection ends before. */
export async function receives(socket: Socket, part: string): Promise<string> {
  let text = "";
  await new Promise<void>((done, fail) => {
    const onData = (piece: Buffer): void => {
      text += piece.latin1Slice();
      if (!text.includes(part)) return;
      socket.off("data", onData);
      done();
    };
    const tooSoon = (): void => fail(new Error(`closed before ${JSON.stringify(part)}; got ${JSON.stringify(text.slice(-200))}`));
    socket.on("data", onData).once("end", tooSoon).once("close", tooSoon);
  });
  return text;
}
