// HTTP/2 frames that cost a client nothing and a server much (RFC 9113 §10.5): who sends too many of them is told to calm
// down and cut off; who is only slow costs no more memory than is promised.
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { untilWritable } from "../support/abuse/bodies.ts";
import { dial, many } from "../support/abuse/crowd.ts";
import { IS_FULL, scaled } from "../support/abuse/scale.ts";
import { abuse } from "../support/abuse/rounds.ts";
import { setStage } from "../support/abuse/stage.ts";
import type { StageOptions } from "../support/abuse/stage.ts";
import { eventually } from "../support/eventually.ts";
import {
  ENHANCE_YOUR_CALM,
  frame,
  FrameCutter,
  FrameFlag,
  FrameType,
  indexedLiteral,
  literalField,
  NEWEST_ENTRY,
  PREFACE,
  requestBlock,
  settings,
  uint32,
} from "../support/http2-frames.ts";

const CROWD = scaled(20, 4);
const BLOCK_FRAMES = 500;
/** Of a flood that nobody cuts off. */
const FOR_EVER_MS = 30_000;
const INITIAL_WINDOW_SIZE = 4;
const { endStream, endHeaders, ack } = FrameFlag;

/** What a server did to a connection: its GOAWAY's code, if it sent one, and whether it closed. */
class Seen {
  goaway: number | undefined = undefined;
  isOver = false;
  readonly over: Promise<void>;

  constructor(socket: Socket) {
    const cutter = new FrameCutter();
    socket.on("data", (bytes: Buffer) => {
      for (const { type, payload } of cutter.push(bytes)) if (type === FrameType.goaway) this.goaway = payload.readUInt32BE(4);
    });
    this.over = new Promise((done) => {
      const end = (): void => {
        this.isOver = true;
        done();
      };
      socket.once("end", end).once("close", end);
    });
  }
}

/** Writes frames until the server closes. @param next the frames of the round with this number. */
async function flood(socket: Socket, seen: Seen, start: readonly Buffer[], next: (round: number) => Buffer): Promise<void> {
  socket.write(Buffer.concat([PREFACE, settings(), ...start]));
  const deadline = performance.now() + FOR_EVER_MS;
  for (let round = 0; !seen.isOver && performance.now() < deadline; round += 1) {
    if (!socket.write(next(round))) await Promise.race([untilWritable(socket), seen.over]);
    else await delay(1);
  }
}

const repeated = (...frames: readonly Buffer[]): Buffer => Buffer.concat(Array.from({ length: BLOCK_FRAMES }, () => Buffer.concat(frames)));
const GET = requestBlock("GET", "/never");
const openPost = frame(FrameType.headers, endHeaders, 1, requestBlock("POST", "/"));
const openGet = frame(FrameType.headers, endHeaders | endStream, 1, GET);

interface Flood {
  readonly title: string;
  readonly start?: readonly Buffer[];
  readonly next: (round: number) => Buffer;
}

const constant = (title: string, start: readonly Buffer[], ...frames: readonly Buffer[]): Flood => {
  const block = repeated(...frames);
  return { title, start, next: () => block };
};

const FLOODS: readonly Flood[] = [
  {
    title: "streams that are reset as soon as they are opened",
    next: (round) =>
      Buffer.concat(
        Array.from({ length: BLOCK_FRAMES }, (_, index) => {
          const id = 2 * (round * BLOCK_FRAMES + index) + 1;
          return Buffer.concat([frame(FrameType.headers, endHeaders | endStream, id, GET), frame(FrameType.rstStream, 0, id, uint32(8))]);
        }),
      ),
  },
  {
    title: "streams that the server has to reset, for a window update of zero",
    next: (round) =>
      Buffer.concat(
        Array.from({ length: BLOCK_FRAMES }, (_, index) => {
          const id = 2 * (round * BLOCK_FRAMES + index) + 1;
          return Buffer.concat([frame(FrameType.headers, endHeaders, id, GET), frame(FrameType.windowUpdate, 0, id, uint32(0))]);
        }),
      ),
  },
  constant("SETTINGS", [], settings({ [INITIAL_WINDOW_SIZE]: 65_535 })),
  constant("PING", [], frame(FrameType.ping, 0, 0, Buffer.alloc(8))),
  constant("empty DATA", [openPost], frame(FrameType.data, 0, 1)),
  constant("PRIORITY", [], frame(FrameType.priority, 0, 1, Buffer.from([0, 0, 0, 3, 1]))),
  constant("WINDOW_UPDATE of the connection", [openGet], frame(FrameType.windowUpdate, 0, 0, uint32(1))),
  constant("WINDOW_UPDATE of a stream", [openGet], frame(FrameType.windowUpdate, 0, 1, uint32(1))),
  constant("empty CONTINUATION", [frame(FrameType.headers, 0, 1, GET)], frame(FrameType.continuation, 0, 1)),
  constant("CONTINUATION", [frame(FrameType.headers, 0, 1, GET)], frame(FrameType.continuation, 0, 1, literalField("x", "y".repeat(100)))),
];

/** Every kind by itself in full, else all at once. */
const GROUPS = IS_FULL ? FLOODS.map((each) => ({ title: each.title, floods: [each] })) : [{ title: "every kind at once", floods: FLOODS }];

describe("a flood of HTTP/2 frames", () => {
  for (const { title, floods } of GROUPS) {
    test(`${title}, is cut off`, async (context) => {
      const stage = await setStage(context);
      const crowd = Math.max(CROWD, floods.length);
      await abuse(stage, async () => {
        await many(crowd, crowd, async (index) => {
          const { start = [], next } = floods[index % floods.length]!;
          const socket = await dial(stage.ports.http);
          const seen = new Seen(socket);
          await flood(socket, seen, start, next);
          assert.ok(seen.isOver, "it was taken for ever");
          // A GOAWAY may be lost where bytes that nobody reads make the kernel send a reset.
          if (seen.goaway !== undefined) assert.equal(seen.goaway, ENHANCE_YOUR_CALM);
          socket.destroy();
        });
      });
    });
  }

  test("of PINGs whose answers nobody reads, is cut off", async (context) => {
    const stage = await setStage(context);
    const block = repeated(frame(FrameType.ping, 0, 0, Buffer.alloc(8)));
    await abuse(stage, async () => {
      await many(CROWD, CROWD, async () => {
        const socket = await dial(stage.ports.http);
        socket.pause();
        socket.write(Buffer.concat([PREFACE, settings(), frame(FrameType.settings, ack, 0)]));
        const closed = new Promise((done) => socket.once("close", done));
        const deadline = performance.now() + FOR_EVER_MS;
        while (!socket.destroyed && performance.now() < deadline) {
          socket.write(block);
          await delay(5);
        }
        assert.ok(socket.destroyed, "it was taken for ever");
        await closed;
      });
    });
  });
});

describe("HTTP/2 that asks for much and takes nothing", () => {
  const STREAMS = scaled(1000, 250);
  const CONNECTIONS = 4;
  const LIMIT: StageOptions = { manager: { request_timeout: "1s", stream_idle_timeout: "1s" } };
  /** What a stream may keep waiting, and what it costs besides. */
  const STREAM_KB = 96;
  const ceilingMb = 60 + (CONNECTIONS * STREAMS * STREAM_KB) / 1024;

  for (const [title, block, flags] of [
    ["has its streams ended when nothing moves on them", requestBlock("GET", "/bytes/1000000"), endHeaders | endStream],
    ["has requests ended that never become whole", requestBlock("POST", "/"), endHeaders],
  ] as const) {
    test(title, async (context) => {
      const stage = await setStage(context, LIMIT);
      await abuse(
        stage,
        async () => {
          const sockets = await many(CONNECTIONS, CONNECTIONS, async () => {
            const socket = await dial(stage.ports.http);
            socket.resume();
            socket.write(Buffer.concat([PREFACE, settings({ [INITIAL_WINDOW_SIZE]: 0 })]));
            for (let index = 0; index < STREAMS; index += 1) socket.write(frame(FrameType.headers, flags, 2 * index + 1, block));
            return socket;
          });
          const active = (): Promise<number> => stage.proxies[0]!.stat(/^http\..*downstream_rq_active$/);
          // What is left is the bystander's.
          await eventually(async () => assert.ok((await active()) <= 2), { withinMs: 15_000 });
          for (const each of sockets) each.destroy();
        },
        { ceilingMb },
      );
    });
  }

  test("has a head refused that unpacks to far more than was sent", async (context) => {
    const stage = await setStage(context);
    const references = Buffer.concat(Array.from({ length: 16_000 }, () => NEWEST_ENTRY));
    await abuse(stage, async () => {
      await many(CROWD, CROWD, async () => {
        const socket = await dial(stage.ports.http);
        const seen = new Seen(socket);
        const block = Buffer.concat([requestBlock("GET", "/"), indexedLiteral("x", "y".repeat(3900))]);
        socket.write(Buffer.concat([PREFACE, settings(), frame(FrameType.headers, 0, 1, block)]));
        for (let count = 0; count < 50 && !seen.isOver; count += 1) {
          socket.write(frame(FrameType.continuation, 0, 1, references));
          await delay(5);
        }
        socket.write(frame(FrameType.continuation, endHeaders, 1, NEWEST_ENTRY));
        await Promise.race([seen.over, delay(FOR_EVER_MS, undefined, { ref: false })]);
        assert.ok(seen.isOver, "the connection goes on");
        socket.destroy();
      });
    });
  });
});
