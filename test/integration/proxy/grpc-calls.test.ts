// gRPC through the proxy, both ends real: all kinds of calls, with what belongs to them, over one plain HTTP/2 hop and over
// two sidecars with mutual TLS between them.
import assert from "node:assert/strict";
import { createServer, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";
import * as grpc from "@grpc/grpc-js";
import { eventually } from "../../support/eventually.ts";
import { EchoClient, outcomeOf, startEchoServer, type EchoServer } from "../../support/grpc-peers.ts";
import { clientOf, closing, startHop, startSidecars, type GrpcPath } from "../../support/grpc-planes.ts";

const PATHS: Readonly<Record<string, (port: number) => Promise<GrpcPath>>> = {
  "one hop": (port) => startHop([port]),
  "two sidecars": (port) => startSidecars(port, ["meshctl/1", "istio"]),
  "two sidecars in plain HTTP/2": (port) => startSidecars(port, ["h2"]),
};

/** Messages that the server was let write in streams. */
let sent = 0;
/** Calls of the server's that their clients gave up. */
let cancelled = 0;

for (const [name, startPath] of Object.entries(PATHS)) {
  describe(`gRPC through ${name}`, () => {
    let server: EchoServer;
    let path: GrpcPath;
    let client: EchoClient;

    before(async () => {
      server = await startEchoServer({
        download(call) {
          call.on("cancelled", () => (cancelled += 1));
          const [command = "", size = "1"] = call.request.toString().split(" ");
          if (command === "hang") return void call.write(Buffer.from("first"));
          if (command === "fail") {
            const trailers = new grpc.Metadata();
            trailers.set("t-why-bin", Buffer.from([0, 1, 255]));
            call.write(Buffer.from("before"));
            call.emit("error", { code: grpc.status.DATA_LOSS, details: "grün & 100 %", metadata: trailers });
            return;
          }
          let left = Number(command);
          const write = (): void => {
            while (left > 0) {
              sent += 1;
              left -= 1;
              if (!call.write(Buffer.alloc(Number(size), left))) return void call.once("drain", write);
            }
            call.end();
          };
          write();
        },
        unary(call, done) {
          const [command, value = ""] = call.request.subarray(0, 40).toString().split(" ");
          if (command === "fail") return done({ code: Number(value), details: "no\nsuch ⚙ thing" });
          if (command === "deadline") return done(null, Buffer.from(String(Number(call.getDeadline()) - Date.now())));
          if (command === "hang") return void call.on("cancelled", () => (cancelled += 1));
          const [initial, trailing] = [new grpc.Metadata(), new grpc.Metadata()];
          for (const each of call.metadata.get("x-both")) initial.add("x-both", each);
          for (const each of call.metadata.get("x-both-bin")) trailing.add("x-both-bin", each);
          call.sendMetadata(initial);
          done(null, call.request, trailing);
        },
      });
      path = await startPath(server.port);
      client = new EchoClient(path.port);
    });
    after(async () => {
      client.close();
      server.stop();
      await path.stop();
    });

    test("carries unary calls with metadata and trailers, binary ones, too", async () => {
      const bytes = [Buffer.from([0, 1, 2, 253, 254, 255]), Buffer.from("x")];
      const outcome = await client.unary("hello", { metadata: { "x-both": ["a", "b"], "x-both-bin": bytes } });
      assert.deepEqual([outcome.code, outcome.messages.map(String)], [0, ["hello"]]);
      assert.deepEqual(outcome.initial!.get("x-both"), ["a, b"]);
      assert.deepEqual(outcome.trailing.get("x-both-bin"), bytes);
    });

    test("carries streams of either direction, and of both", async () => {
      const download = await outcomeOf(client.download("100 7"));
      assert.deepEqual([download.code, download.messages.length, download.messages[0]], [0, 100, Buffer.alloc(7, 99)]);
      const upload = await client.upload(Array.from({ length: 50 }, (_, index) => Buffer.alloc(index)));
      assert.deepEqual([upload.code, upload.messages.map(String)], [0, ["50 1225"]]);

      const chat = client.chat();
      const done = outcomeOf(chat);
      // Each message waits for the answer to the one before.
      for (let turn = 0; turn < 5; turn += 1) {
        const answer = new Promise((resolve) => chat.once("data", resolve));
        chat.write(Buffer.from(`turn ${turn}`));
        assert.equal(String(await answer), `turn ${turn}`);
      }
      chat.end();
      const { code, messages } = await done;
      assert.deepEqual([code, messages.length], [0, 5]);
    });

    test("passes errors on, with message and trailers, after messages and without any", async () => {
      for (const code of [1, 5, 13, 14, 16]) {
        const outcome = await client.unary(`fail ${code}`);
        assert.deepEqual([outcome.code, outcome.details, outcome.messages.length], [code, "no\nsuch ⚙ thing", 0]);
        assert.deepEqual(outcome.trailing.get("x-mesh-error"), []);
      }
      const late = await outcomeOf(client.download("fail"));
      assert.deepEqual([late.code, late.details, late.messages.map(String)], [15, "grün & 100 %", ["before"]]);
      assert.deepEqual(late.trailing.get("t-why-bin"), [Buffer.from([0, 1, 255])]);
    });

    test("tells the server when a client gives up, before the response and in the middle of it", async () => {
      const before = cancelled;
      const early = client.unary("hang", { deadlineMs: 150 });
      assert.equal((await early).code, grpc.status.DEADLINE_EXCEEDED);
      await eventually(() => assert.equal(cancelled, before + 1), { withinMs: 3000 });
      const midway = client.download("hang");
      const done = outcomeOf(midway);
      await new Promise((resolve) => midway.once("data", resolve));
      midway.cancel();
      assert.equal((await done).code, grpc.status.CANCELLED);
      await eventually(() => assert.equal(cancelled, before + 2), { withinMs: 3000 });
    });

    test("brings the deadline to the server", async () => {
      const { messages } = await client.unary("deadline", { deadlineMs: 20_000 });
      const left = Number(String(messages[0]));
      assert.ok(left > 15_000 && left <= 20_010, `${left} ms`);
    });

    test("carries messages of many megabytes whole, both ways", async () => {
      const large = Buffer.alloc(6_000_000, "abcdefg");
      const outcome = await client.unary(large);
      assert.equal(outcome.code, 0, outcome.details);
      assert.ok(outcome.messages[0]!.equals(large));
    });

    test("lets a server wait for a slow reader, while others are served", async () => {
      const before = sent;
      const slow = client.download("600 65536");
      const done = outcomeOf(slow);
      slow.pause();
      const others = await Promise.all(Array.from({ length: 50 }, (_, index) => client.unary(`other ${index}`)));
      assert.deepEqual([...new Set(others.map(({ code }) => code))], [0]);
      // Windows and buffers on the way hold a few megabytes, not all forty.
      assert.ok(sent - before < 300, `${sent - before} messages were sent`);
      slow.resume();
      const { code, messages } = await done;
      assert.deepEqual([code, messages.length], [0, 600]);
    });

    test("carries hundreds of calls at once", async () => {
      const outcomes = await Promise.all([
        ...Array.from({ length: 300 }, (_, index) => client.unary(`n${index}`)),
        ...Array.from({ length: 60 }, () => outcomeOf(client.download("20 100"))),
      ]);
      assert.deepEqual([...new Set(outcomes.map(({ code, details }) => `${code} ${details}`))], ["0 OK"]);
      assert.equal(String(outcomes[299]!.messages[0]), "n299");
      assert.equal(outcomes[359]!.messages.length, 20);
    });

    test("takes compressed messages for what they are", async () => {
      const compressing = new EchoClient(path.port, { "grpc.default_compression_algorithm": 2 });
      const outcome = await compressing.upload([Buffer.alloc(5000), Buffer.alloc(3)]);
      compressing.close();
      assert.deepEqual([outcome.code, outcome.messages.map(String)], [0, ["2 5003"]]);
    });
  });
}

test("a gRPC server sees the headers that its client has sent, as those of HTTP/2", async (context) => {
  let seen: IncomingHttpHeaders = {};
  const server = createServer();
  server.on("stream", (stream: ServerHttp2Stream, headers) => {
    seen = headers;
    stream.respond({ ":status": 200, "content-type": "application/grpc", "grpc-status": "0" }, { endStream: true });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  context.after(() => void server.close());
  const { port } = server.address() as AddressInfo;
  for (const path of [await startHop([port]), await startSidecars(port, ["meshctl/1", "istio"])]) {
    const client = clientOf(context, closing(context, path));
    await client.unary("", { metadata: { "x-own": "1" }, deadlineMs: 3000 });
    const { te, "content-type": type, "x-own": own, "grpc-accept-encoding": accepted, "user-agent": agent } = seen;
    assert.deepEqual(
      [seen[":method"], seen[":path"], seen[":authority"], te, type, own, accepted],
      ["POST", "/test.Echo/Unary", `127.0.0.1:${path.port}`, "trailers", "application/grpc", "1", "identity,deflate,gzip"],
    );
    assert.match(agent!, /^grpc-node-js\//);
    assert.match(seen["grpc-timeout"] as string, /^\d+m$/);
  }
});
