// A connection that sends each byte in a packet of its own, for peers that must not count on more.
import type { Socket } from "node:net";
import { Duplex } from "node:stream";

/** A stream over `raw` that sends each byte in a write of its own, with a turn of the event loop between. */
export function byteByByte(raw: Socket): Duplex {
  const slow: Duplex = new Duplex({
    read: () => undefined,
    write(chunk: Buffer, _encoding, done) {
      let at = 0;
      const next = (): void => {
        if (at === chunk.length) return done();
        raw.write(chunk.subarray(at, at + 1), () => setImmediate(next));
        at += 1;
      };
      next();
    },
  });
  raw.on("data", (chunk) => slow.push(chunk));
  raw.on("close", () => slow.push(null));
  return slow;
}
