// Many connections at once, or one after the other, from this process. Each comes from another address of the loopback
// network, so that the ports of closed ones, which rest for a minute, never run out.
import { connect } from "node:net";
import type { Socket } from "node:net";

let nextAddress = 0;

function localAddress(): string {
  nextAddress = (nextAddress + 1) % 200;
  return `127.0.1.${nextAddress + 1}`;
}

/** @throws when it can't be made. */
export function dial(port: number): Promise<Socket> {
  return new Promise((done, fail) => {
    const socket = connect({ port, host: "127.0.0.1", localAddress: localAddress(), allowHalfOpen: true });
    socket.once("error", fail);
    socket.once("connect", () => {
      socket.off("error", fail);
      socket.on("error", () => undefined);
      done(socket);
    });
  });
}

/** Runs `work` `count` times, `atOnce` of them at a time, and resolves to what they gave. */
export async function many<T>(count: number, atOnce: number, work: (index: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  const go = async (): Promise<void> => {
    while (next < count) results.push(await work(next++));
  };
  await Promise.all(Array.from({ length: Math.min(count, atOnce) }, go));
  return results;
}

/** Resolves to what has come when the connection is closed by the other side, with FIN or RST. */
export function untilClosed(socket: Socket): Promise<string> {
  return new Promise((done) => {
    let text = "";
    const end = (): void => done(text);
    socket.on("data", (piece: Buffer) => {
      // Enough to see what it is.
      if (text.length < 4096) text += piece.latin1Slice();
    });
    socket.once("end", end).once("close", end);
  });
}
