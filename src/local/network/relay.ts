// Joins two sockets: bytes both ways, the end of one direction passed on by itself, both gone when one breaks.
// (stream.pipeline would destroy a socket whose one direction has ended.)
import type { Socket } from "node:net";

/** Both must allow half-open connections. */
export function relay(a: Socket, b: Socket): void {
  for (const [from, to] of [
    [a, b],
    [b, a],
  ] as const) {
    from.pipe(to);
    from.on("error", () => to.destroy());
    from.on("close", () => to.destroySoon());
  }
}
