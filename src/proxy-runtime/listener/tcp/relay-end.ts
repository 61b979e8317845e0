// One end of a relay: what its connection reads goes to the other end's output.
import type { Connection, ConnectionReceiver, IoContext } from "../../transport/connection.ts";
import { RelayOutput } from "./relay-output.ts";

/** Who is told what the two ends do. */
export interface RelayEndOwner {
  onRelayed(from: RelayEnd, bytes: number): void;
  /** The other side takes no more for now: this end is no longer read. */
  onPaused(from: RelayEnd): void;
  onResumed(from: RelayEnd): void;
  /** Once for each end, last. */
  onEndClosed(end: RelayEnd, error: NodeJS.ErrnoException | undefined): void;
}

export class RelayEnd implements ConnectionReceiver {
  readonly connection: Connection;
  /** Its peer has sent FIN. */
  hasEnded = false;
  isClosed = false;
  readonly #owner: RelayEndOwner;
  /** Where to what is read here; undefined until the other end is there, and nothing is read. */
  #target: RelayOutput | undefined = undefined;

  constructor(connection: Connection, owner: RelayEndOwner) {
    this.connection = connection;
    this.#owner = owner;
  }

  /** Joins the two directions; bytes flow from here on. */
  static join(downstream: RelayEnd, upstream: RelayEnd, io: IoContext): void {
    downstream.#sendTo(upstream, io);
    upstream.#sendTo(downstream, io);
    upstream.connection.start(upstream, true);
    downstream.connection.start(downstream, false);
    // A client may have sent its FIN before the upstream was there.
    if (downstream.hasEnded) downstream.onEnd();
  }

  #sendTo(other: RelayEnd, io: IoContext): void {
    const isTls = "encrypted" in this.connection.socket;
    this.#target = new RelayOutput(other.connection.socket, io, isTls, () => this.#resume());
  }

  onBytes(buffer: Buffer, length: number): void {
    const target = this.#target!;
    this.#owner.onRelayed(this, length);
    target.write(buffer, length);
    // A TLS connection hands out what it has decrypted even after it was paused.
    if (!target.isFull || this.connection.isPaused) return;
    this.connection.pause();
    this.#owner.onPaused(this);
  }

  #resume(): void {
    this.connection.resume();
    this.#owner.onResumed(this);
  }

  onEnd(): void {
    this.hasEnded = true;
    this.#target?.end();
  }

  onWritable(): void {
    // The output asks for more by itself.
  }

  onClose(error: NodeJS.ErrnoException | undefined): void {
    this.isClosed = true;
    this.#owner.onEndClosed(this, error);
  }
}
