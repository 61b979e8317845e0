// What http2_protocol_options ask for beyond frames and windows: PINGs that find dead connections, and limits of a
// deployment's own against floods.
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { eventually } from "../../support/eventually.ts";
import {
  ENHANCE_YOUR_CALM,
  frame,
  FrameCutter,
  FrameFlag,
  FrameType,
  PREFACE,
  requestBlock,
  settings,
  uint32,
  type SeenFrame,
} from "../../support/http2-frames.ts";
import { plainHop, startPlane, type Json, type TestPlane } from "../../support/proxy-plane.ts";
import { connectRaw, ok, startRawServer, type RawPeer } from "../../support/raw-peer.ts";

const { endStream, endHeaders, ack } = FrameFlag;
const within = { withinMs: 5000 };

async function start(context: TestContext, http2: Json, more: Parameters<typeof plainHop>[1] = {}): Promise<TestPlane> {
  // A POST waits for ever.
  const server = await startRawServer(
    (peer) => void peer.socket.on("data", (bytes: Buffer) => bytes.includes("GET") && peer.write(ok("fine"))),
  );
  const plane = await startPlane(plainHop([server.port], { manager: { http2_protocol_options: http2 }, ...more }));
  context.after(async () => {
    await plane.stop();
    await server.stop();
  });
  return plane;
}

/** A client connection that has begun, and the frames that come to it with the time of each. */
async function begin(context: TestContext, plane: TestPlane): Promise<{ peer: RawPeer; frames: (SeenFrame & { atMs: number })[] }> {
  const peer = await connectRaw(plane.port());
  context.after(() => peer.destroy());
  const cutter = new FrameCutter();
  const frames: (SeenFrame & { atMs: number })[] = [];
  peer.socket.on("data", (bytes: Buffer) => {
    const atMs = performance.now();
    for (const each of cutter.push(bytes)) frames.push({ ...each, atMs });
  });
  peer.write(Buffer.concat([PREFACE, settings()]));
  return { peer, frames };
}

describe("keepalive", () => {
  const INTERVAL_MS = 250;

  test("asks again and again on a connection that answers, and closes one that does not", async (context) => {
    const plane = await start(context, { connection_keepalive: { interval: "0.05s", timeout: "0.2s" } });
    const [answering, silent] = [await begin(context, plane), await begin(context, plane)];
    let answered = 0;
    const answer = (): void => {
      for (const each of answering.frames.slice(answered)) {
        answered += 1;
        if (each.type === FrameType.ping) answering.peer.write(frame(FrameType.ping, ack, 0, each.payload));
      }
    };
    answering.peer.socket.on("data", answer);
    await silent.peer.untilEnd();
    const pings = (frames: readonly SeenFrame[]): number => frames.filter((each) => each.type === FrameType.ping).length;
    assert.equal(pings(silent.frames), 1);
    await eventually(() => assert.ok(pings(answering.frames) > 3), within);
    assert.equal(answering.peer.closed, false);
    assert.equal(plane.stat("http2.keepalive_timeout"), 1);
  });

  test("waits for the interval and, at random, for up to its jitter besides", async (context) => {
    const plane = await start(context, {
      connection_keepalive: { interval: `${INTERVAL_MS / 1000}s`, timeout: "5s", interval_jitter: { value: 100 } },
    });
    const firstPing = async (): Promise<number> => {
      const startedAt = performance.now();
      const { frames } = await begin(context, plane);
      const isPing = (each: SeenFrame): boolean => each.type === FrameType.ping;
      await eventually(() => assert.ok(frames.some(isPing)), within);
      return frames.find(isPing)!.atMs - startedAt;
    };
    const random = context.mock.method(Math, "random", () => 0);
    assert.ok((await firstPing()) >= INTERVAL_MS);
    random.mock.mockImplementation(() => 0.999);
    assert.ok((await firstPing()) >= 2 * INTERVAL_MS);
  });

  test("asks before a stream on a connection that was idle for long", async (context) => {
    const server = await startRawServer((peer) => {
      const cutter = new FrameCutter();
      peer.write(settings());
      let isPrefaceRead = false;
      peer.socket.on("data", (bytes: Buffer) => {
        for (const each of cutter.push(isPrefaceRead ? bytes : bytes.subarray(PREFACE.length))) {
          seen.push(each.type);
          if (each.type === FrameType.headers)
            peer.write(frame(FrameType.headers, endHeaders | endStream, each.streamId, Buffer.from([0x88])));
          if (each.type === FrameType.ping) peer.write(frame(FrameType.ping, ack, 0, each.payload));
        }
        isPrefaceRead = true;
      });
    });
    const seen: number[] = [];
    const http2_protocol_options = { connection_keepalive: { timeout: "5s", connection_idle_interval: "1s" } };
    const plane = await startPlane(plainHop([server.port], { cluster: { http2_protocol_options } }));
    context.after(async () => {
      await plane.stop();
      await server.stop();
    });
    const ask = async (): Promise<void> => {
      const client = await connectRaw(plane.port());
      await client.write("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").untilEnd();
      client.destroy();
    };
    await ask();
    await ask();
    const isExpected = (type: number): boolean => type === FrameType.headers || type === FrameType.ping;
    assert.deepEqual(seen.filter(isExpected), [FrameType.headers, FrameType.headers]);
    await delay(1050);
    await ask();
    assert.deepEqual(seen.filter(isExpected).slice(2).sort(), [FrameType.headers, FrameType.ping].sort());
  });
});

describe("a limit of one's own", () => {
  const openGet = frame(FrameType.headers, endHeaders | endStream, 1, requestBlock("GET", "/"));
  const openPost = frame(FrameType.headers, endHeaders, 1, requestBlock("POST", "/"));
  const times = (count: number, each: Buffer): Buffer => Buffer.concat(Array.from({ length: count }, () => each));
  const limits: readonly [field: string, value: number, within: Buffer, beyond: Buffer, counter: string][] = [
    [
      "max_inbound_priority_frames_per_stream",
      2,
      times(2, frame(FrameType.priority, 0, 1, Buffer.from([0, 0, 0, 3, 1]))),
      frame(FrameType.priority, 0, 1, Buffer.from([0, 0, 0, 3, 1])),
      "inbound_priority_frames_flood",
    ],
    [
      "max_consecutive_inbound_frames_with_empty_payload",
      3,
      Buffer.concat([openPost, times(3, frame(FrameType.data, 0, 1))]),
      frame(FrameType.data, 0, 1),
      "inbound_empty_frames_flood",
    ],
    [
      "max_inbound_window_update_frames_per_data_frame_sent",
      1,
      times(5, frame(FrameType.windowUpdate, 0, 0, uint32(1))),
      frame(FrameType.windowUpdate, 0, 0, uint32(1)),
      "inbound_window_update_frames_flood",
    ],
    [
      // SETTINGS counts, too.
      "max_outbound_control_frames",
      4,
      times(3, frame(FrameType.ping, 0, 0, Buffer.alloc(8))),
      frame(FrameType.ping, 0, 0, Buffer.alloc(8)),
      "outbound_control_flood",
    ],
  ];
  for (const [field, value, inside, beyond, counter] of limits) {
    test(`${field} ends a connection beyond it, and not before`, async (context) => {
      const plane = await start(context, { [field]: value });
      const { peer, frames } = await begin(context, plane);
      const goaway = (): number | undefined => frames.find((each) => each.type === FrameType.goaway)?.payload.readUInt32BE(4);
      peer.write(inside);
      // The answer says that what was before it has been read.
      if (!inside.includes(openPost)) {
        peer.write(openGet);
        await eventually(() => assert.ok(frames.some((each) => each.type === FrameType.data)), within);
      } else await eventually(() => assert.equal(plane.stat("http.test.downstream_rq_active"), 1), within);
      assert.equal(goaway(), undefined);
      peer.write(times(field.includes("outbound") || field.includes("window") || field.includes("priority") ? 40 : 1, beyond));
      await peer.untilEnd();
      assert.equal(goaway(), ENHANCE_YOUR_CALM);
      assert.equal(plane.stat(`http2.${counter}`), 1);
    });
  }
});
