// A bug in whatever serves a connection ends that connection, is reported, and touches nothing else.
import assert from "node:assert/strict";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { describe, test, type TestContext } from "node:test";
import { Connection, INTERNAL_ERROR, type ConnectionReceiver, type IoContext } from "../../../../src/proxy-runtime/transport/connection.ts";
import { FlushQueue } from "../../../../src/proxy-runtime/transport/flush-queue.ts";
import { Timers, TimerEntry } from "../../../../src/proxy-runtime/transport/timers.ts";
import { TEST_IO } from "../../../support/fed-socket.ts";
import { connectRaw, type RawPeer } from "../../../support/raw-peer.ts";

type Callback = keyof ConnectionReceiver;

/** Echoes; throws in the callback of its name. */
class FaultyEcho implements ConnectionReceiver {
  closedWith: NodeJS.ErrnoException | undefined | "open" = "open";
  readonly #connection: Connection;
  readonly #faulty: Callback | undefined;

  constructor(connection: Connection, faulty: Callback | undefined) {
    this.#connection = connection;
    this.#faulty = faulty;
  }

  #trip(callback: Callback): void {
    if (callback === this.#faulty) throw new Error(`bug in ${callback}`);
  }

  onBytes(buffer: Buffer, length: number): void {
    this.#trip("onBytes");
    this.#connection.writer.writeBytes(buffer.subarray(0, length));
    // Long enough for 'drain' to come.
    if (this.#faulty === "onWritable") this.#connection.socket.write(Buffer.alloc(4 * 1024 * 1024));
  }

  onEnd(): void {
    this.#trip("onEnd");
    this.#connection.end();
  }

  onWritable(): void {
    this.#trip("onWritable");
  }

  onClose(error: NodeJS.ErrnoException | undefined): void {
    this.closedWith = error;
    this.#trip("onClose");
  }
}

async function serve(context: TestContext, faults: readonly (Callback | undefined)[]) {
  const reported: string[] = [];
  const io: IoContext = { ...TEST_IO, onInternalError: (thrown) => reported.push((thrown as Error).message) };
  const echoes: FaultyEcho[] = [];
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket: Socket) => {
    const connection = new Connection(socket, io);
    const echo = new FaultyEcho(connection, faults[echoes.length]);
    echoes.push(echo);
    connection.start(echo, false);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const clients: RawPeer[] = [];
  context.after(() => {
    for (const each of clients) each.destroy();
    server.close();
  });
  return {
    reported,
    echoes,
    connect: async (): Promise<RawPeer> => {
      const client = await connectRaw((server.address() as AddressInfo).port);
      clients.push(client);
      return client;
    },
  };
}

describe("a connection whose code throws", () => {
  for (const faulty of ["onBytes", "onEnd", "onWritable", "onClose"] as const) {
    test(`in ${faulty} is closed and reported, and the others go on`, async (context) => {
      const { connect, echoes, reported } = await serve(context, [undefined, faulty]);
      const good = await connect();
      good.write("1");
      await good.receives("1");
      const bad = await connect();
      bad.write("x");
      if (faulty === "onEnd" || faulty === "onClose") bad.end();
      await bad.until((peer) => peer.closed || peer.ended, "close");
      if (faulty !== "onClose") {
        assert.equal(bad.error?.code ?? "ECONNRESET", "ECONNRESET");
        assert.equal((echoes[1]!.closedWith as NodeJS.ErrnoException).code, INTERNAL_ERROR);
      }
      bad.destroy();
      good.write("2");
      await good.receives("12");
      assert.deepEqual(reported, [`bug in ${faulty}`]);
    });
  }
});

describe("what is called once per turn or when time is up", () => {
  test("does not keep the others from their call when one throws", async () => {
    const reported: unknown[] = [];
    const calls: string[] = [];
    const queue = new FlushQueue((thrown) => reported.push(thrown));
    queue.add({
      flush: () => {
        throw new Error("in flush");
      },
    });
    queue.add({ flush: () => void calls.push("flushed") });
    queue.flush();
    const timers = new Timers((thrown) => reported.push(thrown));
    const fired = new Promise<void>((resolve) => {
      timers.arm(
        new TimerEntry(
          {
            onTimer: () => {
              throw new Error("in onTimer");
            },
          },
          0,
        ),
        5,
      );
      timers.arm(
        new TimerEntry(
          {
            onTimer: () => {
              calls.push("fired");
              resolve();
            },
          },
          0,
        ),
        5,
      );
      setTimeout(resolve, 2000).unref();
    });
    // The timers themselves keep no process alive.
    const alive = setInterval(() => undefined, 100);
    await fired;
    clearInterval(alive);
    assert.deepEqual(calls, ["flushed", "fired"]);
    assert.deepEqual(
      reported.map((each) => (each as Error).message),
      ["in flush", "in onTimer"],
    );
  });
});
