// All sockets read into one buffer: bytes are consumed or copied before the callback returns. Saves a fresh 64 KB block
// per read (10 % of throughput on a plain hop, 15–20 % with TLS).
//
// tls.connect and net.connect take `onread`; accepted and server-side TLS sockets don't (Node 26.10), so the two private
// properties that it sets are set here, found by their descriptions. Tested once at start; without them 'data' events do.
import { Socket } from "node:net";
import type { TLSSocket } from "node:tls";

const BUFFER_BYTES = 65536;
/** For relays, which move bulk: waking the two peers costs more than copying (docs/performance.md). */
export const RELAY_READ_BYTES = 262144;

interface Handle {
  useUserBuffer?(buffer: Uint8Array): void;
}

function findSymbol(description: string): symbol | undefined {
  return Object.getOwnPropertySymbols(new Socket()).find((symbol) => symbol.description === description);
}

const BUFFER = findSymbol("kBuffer");
const BUFFER_CALLBACK = findSymbol("kBufferCb");

/** Bytes arrived: buffer[0, length), valid during the call only. Answers false to pause the socket. */
export type OnBytes = (buffer: Buffer, length: number) => boolean;

export class SharedReadBuffer {
  readonly bytes: Buffer;

  constructor(bytes: number = BUFFER_BYTES) {
    this.bytes = Buffer.allocUnsafeSlow(bytes);
  }

  /** For the `onread` option of net.connect and tls.connect. */
  onread(onBytes: OnBytes): { buffer: Buffer; callback: (length: number) => boolean } {
    const bytes = this.bytes;
    return { buffer: bytes, callback: (length) => onBytes(bytes, length) };
  }

  /** Makes a socket that was accepted, or unwrapped from TLS by a server, read into this buffer. Starts reading. */
  attach(socket: Socket | TLSSocket, onBytes: OnBytes): void {
    const handle = (socket as unknown as { _handle: Handle | null })._handle;
    // Bytes that were read before (and put back by sniffing) come out of the stream first.
    let early: Buffer | null;
    let open = true;
    while ((early = socket.read() as Buffer | null) !== null) open = onBytes(early, early.length) && open;
    if (socket.destroyed) return;
    if (BUFFER === undefined || BUFFER_CALLBACK === undefined || handle === null || typeof handle.useUserBuffer !== "function") {
      socket.on("data", (chunk: Buffer) => {
        if (!onBytes(chunk, chunk.length)) socket.pause();
      });
      if (!open) socket.pause();
      return;
    }
    const fields = socket as unknown as Record<symbol, unknown>;
    const bytes = this.bytes;
    fields[BUFFER] = bytes;
    fields[BUFFER_CALLBACK] = (length: number) => onBytes(bytes, length);
    handle.useUserBuffer(bytes);
    if (open) socket.resume();
    else socket.pause();
  }
}
