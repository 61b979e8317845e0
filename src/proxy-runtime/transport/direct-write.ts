// Text straight to a TCP socket's handle. The stream machinery above it makes three objects and a tick for each write,
// which for small messages is a tenth of all that a request leaves to the garbage collector (docs/performance.md).
//
// Private API, as in shared-read-buffer.ts: `writeLatin1String(null, text)` answers 0 when the kernel took everything, a
// request with `oncomplete` when it did not, and an error number (seen in Node 26.10). Where it is missing, streams write.
import { Socket } from "node:net";
import { getSystemErrorName } from "node:util";

interface PendingWrite {
  oncomplete: (status: number) => void;
}

interface TcpHandle {
  writeLatin1String(request: null, text: string): number | PendingWrite;
}

export class DirectWriter {
  readonly #socket: Socket;
  readonly #handle: TcpHandle;
  readonly #onDrain: () => void;
  /** Bytes of a write that the kernel has not taken whole. */
  pendingBytes = 0;

  private constructor(socket: Socket, handle: TcpHandle, onDrain: () => void) {
    this.#socket = socket;
    this.#handle = handle;
    this.#onDrain = onDrain;
  }

  /**
   * @param onDrain what did not fit at once has been taken.
   * @returns undefined where the socket is no plain TCP socket, or Node has no such way.
   */
  static of(socket: Socket, onDrain: () => void): DirectWriter | undefined {
    if (!(socket instanceof Socket) || "encrypted" in socket) return undefined;
    const handle = (socket as unknown as { _handle: Partial<TcpHandle> | null })._handle;
    if (handle === null || typeof handle.writeLatin1String !== "function" || handle.constructor.name !== "TCP") return undefined;
    return new DirectWriter(socket, handle as TcpHandle, onDrain);
  }

  /** Answers false where the text has to go through the stream: what it holds comes first. */
  write(text: string): boolean {
    const socket = this.#socket;
    if (socket.writableLength > 0 || this.pendingBytes > 0 || socket.connecting || socket.writableEnded) return false;
    const result = this.#handle.writeLatin1String(null, text);
    if (result === 0) return true;
    if (typeof result === "number") this.#fail(result);
    else {
      this.pendingBytes = text.length;
      result.oncomplete = this.#onComplete;
    }
    return true;
  }

  readonly #onComplete = (status: number): void => {
    this.pendingBytes = 0;
    if (status < 0) this.#fail(status);
    else this.#onDrain();
  };

  #fail(status: number): void {
    const code = getSystemErrorName(status);
    this.#socket.destroy(Object.assign(new Error(`write ${code}`), { code, errno: status, syscall: "write" }));
  }
}
