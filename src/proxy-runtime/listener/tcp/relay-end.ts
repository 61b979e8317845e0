// One end of a relay: what its connection reads goes to the other end's output.
import type { Connection, ConnectionReceiver, IoContext } from "../../transport/connection.ts";
import type { Flushable } from "../../transport/flush-queue.ts";
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

export class RelayEnd implements ConnectionReceiver, Flushable {
  readonly connection: Connection;
  /** Its peer has sent FIN. */
  hasEnded = false;
  isClosed = false;
  readonly #owner: RelayEndOwner;
  readonly #io: IoContext;
  /** Where to what is read here; undefined until the other end is there, and nothing is read. */
  #target: RelayOutput | undefined = undefined;
  #isHeldBack = false;
  #isYielding = false;

  constructor(connection: Connection, owner: RelayEndOwner, io: IoContext) {
    this.connection = connection;
    this.#owner = owner;
    this.#io = io;
  }

  /** Joins the two directions; bytes flow from here on. */
  static join(downstream: RelayEnd, upstream: RelayEnd): void {
    downstream.#sendTo(upstream);
    upstream.#sendTo(downstream);
    upstream.connection.start(upstream, true);
    downstream.connection.start(downstream, false);
    // A client may have sent its FIN before the upstream was there.
    if (downstream.hasEnded) downstream.onEnd();
  }

  #sendTo(other: RelayEnd): void {
    const isTls = "encrypted" in this.connection.socket;
    this.#target = new RelayOutput(other.connection.socket, this.#io, isTls, () => this.#onRoom());
  }

  onBytes(buffer: Buffer, length: number): void {
    const target = this.#target!;
    this.#owner.onRelayed(this, length);
    target.write(buffer, length);
    // A TLS connection hands out what it has decrypted even after it was paused.
    if (target.isFull && !this.#isHeldBack) {
      this.#isHeldBack = true;
      this.connection.pause();
      this.#owner.onPaused(this);
    }
    if (this.#isYielding || !this.#io.relayTurn.isSpent()) return;
    this.#isYielding = true;
    this.connection.pause();
    this.#io.queue.add(this);
  }

  /** Every other connection has had its turn. */
  flush(): void {
    this.#isYielding = false;
    if (!this.#isHeldBack) this.connection.resume();
  }

  #onRoom(): void {
    this.#isHeldBack = false;
    if (!this.#isYielding) this.connection.resume();
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
