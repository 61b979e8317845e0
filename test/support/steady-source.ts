// Bulk bytes of which each tells its place: a source that sends as fast as it may, and a sink that notices what is lost,
// doubled or swapped.
import type { Socket } from "node:net";
import { eventually } from "./eventually.ts";

// No power of two, so that a block of the proxy's that comes twice or not at all shows.
const PERIOD = 65521;
const BLOCK_BYTES = 64 * PERIOD;
const WAIT_MS = 10_000;

// At a place p of the stream stands byte p mod PERIOD of this, and no two windows of four bytes are alike.
const PATTERN = Buffer.alloc(BLOCK_BYTES + PERIOD);
for (let index = 0; index < PATTERN.length; index += 1) {
  const place = index % PERIOD;
  PATTERN[index] = (place * 31 + (place >> 8) * 7) & 255;
}

export class SteadySource {
  sentBytes = 0;
  #isWaiting = false;

  /** Sends and then ends its half. */
  constructor(socket: Socket, totalBytes: number) {
    const pump = (): void => {
      this.#isWaiting = false;
      while (this.sentBytes < totalBytes) {
        const at = this.sentBytes % PERIOD;
        const length = Math.min(65536, totalBytes - this.sentBytes);
        this.sentBytes += length;
        if (!socket.write(PATTERN.subarray(at, at + length))) {
          this.#isWaiting = true;
          return;
        }
      }
      socket.end();
    };
    socket.on("drain", pump);
    pump();
  }

  /** Resolves when nothing has moved for a tenth of a second. */
  async heldBack(): Promise<void> {
    let before = -1;
    await eventually(
      async () => {
        before = this.sentBytes;
        await new Promise((resolve) => setTimeout(resolve, 100));
        if (!this.#isWaiting || this.sentBytes !== before) throw new Error("the sender is not held back yet");
      },
      { withinMs: WAIT_MS },
    );
  }
}

export interface CheckedSink {
  /** Until this nothing is read. */
  read(): void;
  ended(): Promise<{ readonly receivedBytes: number; readonly wrongBytes: number }>;
}

/** Takes the socket over from whoever listened to its bytes before. */
export function checkedSink(socket: Socket): CheckedSink {
  let receivedBytes = 0;
  let wrongBytes = 0;
  socket.removeAllListeners("data");
  socket.pause();
  const end = new Promise<void>((resolve) => socket.once("end", resolve).once("close", () => resolve()));
  return {
    read() {
      socket.on("data", (chunk: Buffer) => {
        const at = receivedBytes % PERIOD;
        if (!chunk.equals(PATTERN.subarray(at, at + chunk.length))) wrongBytes += chunk.length;
        receivedBytes += chunk.length;
      });
      socket.resume();
    },
    async ended() {
      await end;
      return { receivedBytes, wrongBytes };
    },
  };
}
