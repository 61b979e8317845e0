// The open streams of a connection by id. Not a Map: V8's keeps a chain from each outgrown table to the next, so that the
// garbage of a busy connection stays alive until a full collection (measured: a third of the CPU of a sidecar under load).
// Ids grow and streams are short, so a power of two of slots, found by id, hardly ever collide.
import type { SessionStream } from "./session-seam.ts";

const FIRST_SLOTS = 16;

export class StreamTable {
  #slots: (SessionStream | undefined)[] = new Array<SessionStream | undefined>(FIRST_SLOTS).fill(undefined);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(id: number): SessionStream | undefined {
    const slots = this.#slots;
    const mask = slots.length - 1;
    for (let slot = (id >>> 1) & mask; ; slot = (slot + 1) & mask) {
      const stream = slots[slot];
      if (stream === undefined || stream.id === id) return stream;
    }
  }

  /** Adds a stream whose id is not there. */
  add(stream: SessionStream): void {
    if (2 * this.#size >= this.#slots.length) this.#grow();
    this.#size += 1;
    this.#place(stream);
  }

  delete(id: number): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let slot = (id >>> 1) & mask;
    while (slots[slot]?.id !== id) {
      if (slots[slot] === undefined) return;
      slot = (slot + 1) & mask;
    }
    slots[slot] = undefined;
    this.#size -= 1;
    // Those behind it may have been pushed there by it.
    for (let next = (slot + 1) & mask; ; next = (next + 1) & mask) {
      const moved = slots[next];
      if (moved === undefined) return;
      slots[next] = undefined;
      this.#place(moved);
    }
  }

  /** As they are now; streams may be added and deleted meanwhile. */
  all(): SessionStream[] {
    return this.#slots.filter((stream) => stream !== undefined);
  }

  #place(stream: SessionStream): void {
    const slots = this.#slots;
    const mask = slots.length - 1;
    let slot = (stream.id >>> 1) & mask;
    while (slots[slot] !== undefined) slot = (slot + 1) & mask;
    slots[slot] = stream;
  }

  #grow(): void {
    const streams = this.all();
    this.#slots = new Array<SessionStream | undefined>(2 * this.#slots.length).fill(undefined);
    for (const stream of streams) this.#place(stream);
  }
}
