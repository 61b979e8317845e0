// What a relay writes, over a socket that takes as much as the test lets it.
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { Writable } from "node:stream";
import { describe, test } from "node:test";
import { RelayOutput } from "../../../../../src/proxy-runtime/listener/tcp/relay-output.ts";
import { BlockPool } from "../../../../../src/proxy-runtime/transport/block-pool.ts";
import { FlushQueue } from "../../../../../src/proxy-runtime/transport/flush-queue.ts";
import { RELAY_READ_BYTES } from "../../../../../src/proxy-runtime/transport/shared-read-buffer.ts";
import { TEST_IO } from "../../../../support/fed-socket.ts";

/** Keeps each write until it is let go, as a kernel whose buffer is full. */
class HeldSocket extends Writable {
  readonly writes: string[] = [];
  /** As they are when the kernel has taken them: until then the memory is the socket's. */
  readonly landed: string[] = [];
  isHeld = true;
  #release: (() => void) | undefined;

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.writes.push(chunk.latin1Slice());
    const land = (): void => {
      this.landed.push(chunk.latin1Slice());
      done();
    };
    if (this.isHeld) this.#release = land;
    else land();
  }

  async release(): Promise<void> {
    const release = this.#release;
    this.#release = undefined;
    release?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

class CountingPool extends BlockPool {
  taken = 0;

  override take() {
    this.taken += 1;
    return super.take();
  }

  override put(block: Parameters<BlockPool["put"]>[0]): void {
    this.taken -= 1;
    super.put(block);
  }
}

function setUp(gathers: boolean) {
  const socket = new HeldSocket({ highWaterMark: 65536 });
  const blocks = new CountingPool();
  const relayBlocks = new CountingPool(RELAY_READ_BYTES);
  const queue = new FlushQueue();
  let rooms = 0;
  const io = { ...TEST_IO, queue, blocks, relayBlocks };
  const output = new RelayOutput(socket as unknown as Socket, io, gathers, () => (rooms += 1));
  // Each read reuses the buffer, as all relays do.
  const shared = Buffer.alloc(RELAY_READ_BYTES);
  return {
    socket,
    output,
    queue,
    blocks: () => blocks.taken + relayBlocks.taken,
    rooms: () => rooms,
    read: (text: string): void => {
      shared.latin1Write(text);
      output.write(shared, text.length);
      shared.fill(0);
    },
  };
}

describe("the output of a relay", () => {
  test("goes to the kernel within the read that brought it", async () => {
    const { socket, read } = setUp(false);
    socket.isHeld = false;
    read("one");
    assert.deepEqual(socket.writes, ["one"]);
    await socket.release();
    read("two");
    assert.deepEqual(socket.writes, ["one", "two"]);
  });

  test("gathers small pieces while the kernel takes nothing, in one block", async () => {
    const { socket, read, blocks } = setUp(false);
    for (let index = 0; index < 1000; index += 1) read("x");
    assert.deepEqual(socket.writes, ["x"]);
    assert.equal(blocks(), 2);
    await socket.release();
    assert.deepEqual(socket.writes, ["x", "x".repeat(999)]);
    await socket.release();
    assert.equal(blocks(), 0);
  });

  test("sends the pieces of one turn together where they come in pieces", () => {
    const { socket, read, queue } = setUp(true);
    socket.isHeld = false;
    read("a");
    read("b");
    assert.deepEqual(socket.writes, []);
    queue.flush();
    assert.deepEqual(socket.writes, ["ab"]);
  });

  test("is full before it holds two large reads, and tells once when there is room again", async () => {
    const { socket, output, read, rooms, blocks } = setUp(false);
    const large = "x".repeat(100_000);
    let reads = 0;
    while (!output.isFull) {
      read(large);
      reads += 1;
    }
    assert.equal(reads, 2);
    assert.ok(blocks() <= 2, `${blocks()} blocks are held`);
    assert.equal(rooms(), 0);
    await socket.release();
    assert.equal(output.isFull, false);
    assert.equal(rooms(), 1);
    await socket.release();
    assert.equal(socket.writes.join("").length, 200_000);
    assert.equal(rooms(), 1);
  });

  test("touches no block that is still on its way", async () => {
    const { socket, read } = setUp(false);
    // More than one block, as TLS hands out what it has decrypted though it was asked to stop.
    const pieces = ["a", "b", "c", "d", "e", "f"].map((each) => each.repeat(200_000));
    for (const each of pieces.slice(0, 3)) read(each);
    await socket.release();
    for (const each of pieces.slice(3)) read(each);
    while (socket.writableLength > 0) await socket.release();
    assert.equal(socket.landed.join("") === pieces.join(""), true);
  });

  test("keeps the order over blocks that are full, and ends after the last byte", async () => {
    const { socket, output, read } = setUp(true);
    const pieces = Array.from({ length: 40 }, (_, index) => String.fromCharCode(65 + (index % 26)).repeat(16_384));
    for (const each of pieces) read(each);
    output.end();
    while (!socket.writableFinished) await socket.release();
    assert.equal(socket.writes.join(""), pieces.join(""));
  });

  test("gives its blocks back when the connection breaks", async () => {
    const { socket, output, read, blocks } = setUp(false);
    socket.on("error", () => undefined);
    read("a");
    read("b");
    socket.destroy();
    await socket.release();
    read("c");
    output.flush();
    await socket.release();
    assert.equal(blocks(), 0);
  });
});
