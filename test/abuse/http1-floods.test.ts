// HTTP/1 messages without end, from clients and from servers: each is cut off at its limit, with an answer where one is
// possible, and what was read of it is not kept.
import assert from "node:assert/strict";
import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { receives, untilWritable } from "../support/abuse/bodies.ts";
import { dial, many, untilClosed } from "../support/abuse/crowd.ts";
import { IS_FULL, scaled } from "../support/abuse/scale.ts";
import { eventually } from "../support/eventually.ts";
import { abuse } from "../support/abuse/rounds.ts";
import { setStage } from "../support/abuse/stage.ts";

const CROWD = scaled(100, 24);
const KIB = 1024;
/** Of a flood that nobody cuts off. */
const FOR_EVER_MS = 30_000;

/** Writes a start and then the same piece over and over; resolves to whether the other side has closed at last. */
async function flood(socket: Socket, start: string, piece: string): Promise<boolean> {
  const block = Buffer.from(piece.repeat(Math.ceil((64 * KIB) / piece.length)), "latin1");
  let isOver = false;
  const over = (): void => void (isOver = true);
  socket.once("end", over).once("close", over).once("error", over);
  socket.write(start, "latin1");
  const deadline = performance.now() + FOR_EVER_MS;
  while (!isOver && performance.now() < deadline) if (!socket.write(block)) await untilWritable(socket);
  return isOver;
}

const POST = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

interface Flood {
  readonly title: string;
  readonly start: string;
  readonly piece: string;
  /** What comes back; nothing does where bytes that nobody reads make the kernel send a reset first. */
  readonly answer: RegExp;
}

/** Every kind by itself in full, else all at once, in equal parts. */
function groups(floods: readonly Flood[]): { readonly title: string; readonly floods: readonly Flood[] }[] {
  return IS_FULL ? floods.map((each) => ({ title: each.title, floods: [each] })) : [{ title: "of every kind at once", floods }];
}

const CLIENT_FLOODS: readonly Flood[] = [
  { title: "of header lines", start: "GET / HTTP/1.1\r\nHost: a\r\n", piece: "x: y\r\n", answer: /^HTTP\/1\.1 431 / },
  { title: "of one header", start: "GET / HTTP/1.1\r\nHost: a\r\nx: ", piece: "y", answer: /^HTTP\/1\.1 431 / },
  { title: "of one header's name", start: "GET / HTTP/1.1\r\nHost: a\r\n", piece: "x", answer: /^HTTP\/1\.1 4(00|31) / },
  { title: "of a request line", start: "GET /", piece: "x", answer: /^HTTP\/1\.1 4(14|31) / },
  { title: "of a method", start: "", piece: "G", answer: /^HTTP\/1\.1 4(00|31) / },
  { title: "of digits in a chunk's size", start: POST, piece: "0", answer: /^HTTP\/1\.1 400 / },
  { title: "of a chunk's extension", start: `${POST}5;`, piece: "x", answer: /^HTTP\/1\.1 400 / },
  { title: "of trailers", start: `${POST}0\r\n`, piece: "x: y\r\n", answer: /^HTTP\/1\.1 4(00|31) / },
];

describe("a client's flood", () => {
  for (const { title, floods } of groups(CLIENT_FLOODS)) {
    test(`${title} is refused at its limit`, async (context) => {
      const stage = await setStage(context);
      await abuse(stage, async () => {
        await many(CROWD, CROWD, async (index) => {
          const { start, piece, answer } = floods[index % floods.length]!;
          const socket = await dial(stage.ports.http);
          const text = untilClosed(socket);
          assert.ok(await flood(socket, start, piece), "it was taken for ever");
          const got = await text;
          if (got !== "") assert.match(got, answer);
          socket.destroy();
        });
      });
    });
  }

  test("of pipelined requests whose answers nobody reads stops being read", async (context) => {
    const stage = await setStage(context);
    const block = Buffer.from("GET /bytes/50000 HTTP/1.1\r\nHost: a\r\n\r\n".repeat(2000), "latin1");
    await abuse(stage, async () => {
      const sockets = await many(CROWD, CROWD, async () => {
        const socket = await dial(stage.ports.http);
        socket.pause();
        socket.write(block);
        return socket;
      });
      const taken = (): Promise<number> => stage.proxies[0]!.stat(/^cluster\.origin\.upstream_rq_total$/);
      let last = 0;
      await eventually(
        async () => {
          const before = last;
          await delay(500);
          last = await taken();
          assert.equal(last, before, "requests are taken without end");
        },
        { withinMs: FOR_EVER_MS },
      );
      for (const each of sockets) each.destroy();
    });
  });
});

const OK = "HTTP/1.1 200 OK\r\n";
const CHUNKED = `${OK}transfer-encoding: chunked\r\n\r\n`;
const SERVER_FLOODS: readonly Flood[] = [
  { title: "of header lines", start: OK, piece: "x: y\r\n", answer: /^HTTP\/1\.1 50[234] / },
  { title: "of one header", start: `${OK}x: `, piece: "y", answer: /^HTTP\/1\.1 50[234] / },
  { title: "of a status line", start: "HTTP/1.1 200 ", piece: "x", answer: /^HTTP\/1\.1 50[234] / },
  { title: "of hints", start: "", piece: "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n", answer: /^HTTP\/1\.1 (103|50[234]) / },
  { title: "of a chunk's extension", start: `${CHUNKED}5;`, piece: "x", answer: /^HTTP\/1\.1 (200|50[234]) / },
  { title: "of trailers", start: `${CHUNKED}0\r\n`, piece: "x: y\r\n", answer: /^HTTP\/1\.1 (200|50[234]) / },
];

describe("a server's flood", () => {
  /** A server that answers every connection with the flood that the path has the number of. */
  async function startFloodingServer(context: TestContext, floods: readonly Flood[]): Promise<number> {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on("error", () => undefined).on("close", () => sockets.delete(socket));
      socket.once("data", (bytes: Buffer) => {
        const { start, piece } = floods[Number(/^GET \/(\d+)/.exec(bytes.latin1Slice(0, 20))?.[1] ?? 0)]!;
        void flood(socket, start, piece);
      });
      socket.resume();
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    context.after(() => {
      for (const each of sockets) each.destroy();
      server.close();
    });
    return (server.address() as AddressInfo).port;
  }

  for (const { title, floods } of groups(SERVER_FLOODS)) {
    test(`${title} fails its own requests only`, async (context) => {
      const serverPort = await startFloodingServer(context, floods);
      const stage = await setStage(context, { action: { timeout: "5s" }, serverPort });
      await abuse(stage, async () => {
        await many(CROWD, CROWD, async (index) => {
          const which = index % floods.length;
          const socket = await dial(stage.ports.http);
          socket.write(`GET /${which} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
          assert.match(await receives(socket, "\r\n"), floods[which]!.answer);
          await untilClosed(socket);
          socket.destroy();
        });
      });
    });
  }
});
