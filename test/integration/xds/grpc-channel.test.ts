// The gRPC client of the sidecar against @grpc/grpc-js, and against node:http2 and net servers that misbehave.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createHttp2Server } from "node:http2";
import type { Http2Server, ServerHttp2Stream } from "node:http2";
import { createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { test } from "node:test";
import type { TestContext } from "node:test";
import * as grpc from "@grpc/grpc-js";
import { connectGrpc } from "../../../src/xds/grpc-channel.ts";
import type { GrpcChannel, GrpcChannelOptions } from "../../../src/xds/grpc-channel.ts";
import { encodeGrpcFrame } from "../../../src/xds/grpc-frames.ts";
import { GrpcCode, GrpcError } from "../../../src/xds/grpc-status.ts";
import type { GrpcStatus } from "../../../src/xds/grpc-status.ts";
import { eventually } from "../../support/eventually.ts";
import { startRawGrpcServer, STREAM, UNARY } from "../../support/grpc-server.ts";
import type { RawGrpcServer } from "../../support/grpc-server.ts";
import { selfSigned } from "../../support/openssl.ts";

const echo: grpc.handleUnaryCall<Buffer, Buffer> = (call, answer) => answer(null, call.request);

async function serve(t: TestContext, handlers: Parameters<typeof startRawGrpcServer>[0]): Promise<RawGrpcServer> {
  const server = await startRawGrpcServer(handlers);
  t.after(() => server.close());
  return server;
}

function dial(t: TestContext, port: number, options: Partial<GrpcChannelOptions> = {}): GrpcChannel {
  const channel = connectGrpc({ address: { host: "127.0.0.1", port }, ...options });
  t.after(() => channel.close());
  return channel;
}

async function listen(t: TestContext, server: Server | Http2Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** An HTTP/2 server that treats every request stream in one way. */
async function serveHttp2(t: TestContext, onStream: (stream: ServerHttp2Stream) => void): Promise<number> {
  const server = createHttp2Server();
  server.on("stream", (stream: ServerHttp2Stream) => {
    stream.on("error", () => {});
    onStream(stream);
  });
  server.on("session", (session) => t.after(() => session.destroy()));
  return listen(t, server);
}

function failsWith(code: number, message: RegExp) {
  return (error: unknown): boolean => {
    assert.ok(error instanceof GrpcError);
    assert.match(error.message, message);
    assert.equal(error.code, code);
    return true;
  };
}

test("carries a unary call with its metadata and deadline", async (t) => {
  let metadata: grpc.Metadata | undefined;
  let deadline: grpc.Deadline = Infinity;
  const server = await serve(t, {
    unary: (call, answer) => {
      metadata = call.metadata;
      deadline = call.getDeadline();
      answer(null, Buffer.from(`got ${call.request}`));
    },
  });
  const answer = await dial(t, server.port).unary(UNARY, Buffer.from("hi"), { metadata: { authorization: "Bearer t" }, timeoutMs: 5000 });
  assert.equal(Buffer.from(answer).toString(), "got hi");
  assert.deepEqual(metadata?.get("authorization"), ["Bearer t"]);
  assert.match(String(metadata?.get("user-agent")), /^meshctl\//);
  const leftMs = Number(deadline) - Date.now();
  assert.ok(leftMs > 0 && leftMs <= 5000, `${leftMs}`);
});

test("carries messages far larger than 4 MB both ways", async (t) => {
  const server = await serve(t, { unary: echo });
  const large = Buffer.alloc(24 << 20, "x");
  assert.ok(large.equals(await dial(t, server.port).unary(UNARY, large)));
});

test("ends a call whose answer is over the limit with RESOURCE_EXHAUSTED", async (t) => {
  const server = await serve(t, { unary: echo });
  const channel = dial(t, server.port, { maxMessageBytes: 1000 });
  await assert.rejects(
    channel.unary(UNARY, Buffer.alloc(1001)),
    failsWith(GrpcCode.resourceExhausted, /1001 bytes is larger than the limit of 1000/),
  );
  assert.equal((await channel.unary(UNARY, Buffer.alloc(1000))).length, 1000);
});

test("gives the server's code and its text, decoded", async (t) => {
  const server = await serve(t, {
    unary: (_call, answer) => answer({ code: grpc.status.UNAUTHENTICATED, details: "token von gestern: müde %" }),
  });
  await assert.rejects(
    dial(t, server.port).unary(UNARY, Buffer.alloc(0)),
    failsWith(GrpcCode.unauthenticated, /^token von gestern: müde %$/),
  );
});

test("gives UNIMPLEMENTED for a method that the server lacks", async (t) => {
  const server = await serve(t, { unary: echo });
  await assert.rejects(dial(t, server.port).unary("/test.Raw/Nothing", Buffer.alloc(0)), failsWith(GrpcCode.unimplemented, /./));
});

test("gives DEADLINE_EXCEEDED when no answer comes in time, and tells the server", async (t) => {
  let isCancelled = false;
  const server = await serve(t, { unary: (call) => void call.on("cancelled", () => (isCancelled = true)) });
  await assert.rejects(
    dial(t, server.port).unary(UNARY, Buffer.alloc(0), { timeoutMs: 50 }),
    failsWith(GrpcCode.deadlineExceeded, /50 ms/),
  );
  await eventually(() => assert.ok(isCancelled), { withinMs: 2000 });
});

test("carries a stream both ways, in order, until the server ends it", async (t) => {
  const server = await serve(t, {
    stream: (call) => {
      call.on("data", (message: Buffer) => (message.toString() === "bye" ? call.end() : call.write(Buffer.from(`re: ${message}`))));
    },
  });
  const seen: string[] = [];
  const { promise: ended, resolve } = Promise.withResolvers<GrpcStatus>();
  const stream = dial(t, server.port).stream(STREAM, { onMessage: (each) => seen.push(Buffer.from(each).toString()), onEnd: resolve });
  stream.send(Buffer.from("a"));
  stream.send(Buffer.alloc(0));
  await eventually(() => assert.equal(seen.length, 2), { withinMs: 2000 });
  stream.send(Buffer.from("bye"));
  assert.deepEqual(await ended, { code: GrpcCode.ok, message: "OK" });
  assert.deepEqual(seen, ["re: a", "re: "]);
});

test("delivers every message that came before an error status", async (t) => {
  const server = await serve(t, {
    stream: (call) => {
      for (let i = 0; i < 50; i++) call.write(Buffer.alloc(10_000, i));
      call.emit("error", { code: grpc.status.ABORTED, details: "enough" });
    },
  });
  let count = 0;
  const { promise: ended, resolve } = Promise.withResolvers<GrpcStatus>();
  dial(t, server.port).stream(STREAM, { onMessage: () => count++, onEnd: resolve });
  assert.deepEqual(await ended, { code: GrpcCode.aborted, message: "enough" });
  assert.equal(count, 50);
});

test("tells the server of a closed stream and calls back no more", async (t) => {
  let isCancelled = false;
  const server = await serve(t, {
    stream: (call) => {
      call.on("cancelled", () => (isCancelled = true));
      call.write(Buffer.from("hello"));
    },
  });
  let ends = 0;
  const { promise: first, resolve } = Promise.withResolvers<Uint8Array>();
  const stream = dial(t, server.port).stream(STREAM, { onMessage: resolve, onEnd: () => ends++ });
  await first;
  stream.close();
  await eventually(() => assert.ok(isCancelled), { withinMs: 2000 });
  assert.equal(ends, 0);
});

test("says where nobody listens, and works once somebody does", async (t) => {
  const server = await startRawGrpcServer({ unary: echo });
  server.close();
  const channel = dial(t, server.port);
  await assert.rejects(
    channel.unary(UNARY, Buffer.alloc(0)),
    failsWith(GrpcCode.unavailable, new RegExp(`127.0.0.1:${server.port}: .*ECONNREFUSED`)),
  );
  await serve(t, { unary: echo, port: server.port });
  assert.equal((await channel.unary(UNARY, Buffer.from("x"))).length, 1);
});

test("ends running calls with UNAVAILABLE when the server dies, and connects anew", async (t) => {
  const server = await startRawGrpcServer({ stream: (call) => void call.write(Buffer.from("hello")) });
  const channel = dial(t, server.port);
  const first = Promise.withResolvers<Uint8Array>();
  const ended = Promise.withResolvers<GrpcStatus>();
  channel.stream(STREAM, { onMessage: first.resolve, onEnd: ended.resolve });
  await first.promise;
  server.close();
  assert.equal((await ended.promise).code, GrpcCode.unavailable);
  await serve(t, { stream: (call) => void call.write(Buffer.from("again")), port: server.port });
  const again = Promise.withResolvers<Uint8Array>();
  channel.stream(STREAM, { onMessage: again.resolve, onEnd: (status) => again.reject(new Error(status.message)) });
  assert.equal(Buffer.from(await again.promise).toString(), "again");
});

test("lets running calls finish after GOAWAY and opens new ones on a new connection", async (t) => {
  const streams: ServerHttp2Stream[] = [];
  const port = await serveHttp2(t, (stream) => {
    stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
    streams.push(stream);
  });
  const channel = dial(t, port);
  const first = channel.unary(UNARY, Buffer.alloc(0));
  await eventually(() => assert.equal(streams.length, 1), { withinMs: 2000 });
  streams[0]!.session!.goaway(0);
  let second: Promise<Uint8Array> | undefined;
  await eventually(
    async () => {
      second ??= channel.unary(UNARY, Buffer.alloc(0));
      second.catch(() => {});
      await eventually(() => assert.equal(streams.length, 2), { withinMs: 200 }).catch((error: unknown) => {
        second = undefined;
        throw error;
      });
    },
    { withinMs: 2000 },
  );
  assert.notEqual(streams[0]!.session, streams[1]!.session);
  streams[0]!.end(encodeGrpcFrame(Buffer.from("old")));
  streams[1]!.end(encodeGrpcFrame(Buffer.from("new")));
  assert.equal(Buffer.from(await first).toString(), "old");
  assert.equal(Buffer.from(await second!).toString(), "new");
});

test("takes a connection that answers no PING for dead while a call runs", async (t) => {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    socket.write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0])); // an empty SETTINGS frame, then silence
  });
  t.after(() => sockets.forEach((each) => each.destroy()));
  const channel = dial(t, await listen(t, server), { keepalive: { intervalMs: 20, timeoutMs: 50 } });
  await assert.rejects(channel.unary(UNARY, Buffer.alloc(0)), failsWith(GrpcCode.unavailable, /keepalive PING within 50 ms/));
});

test("gives up on a server that accepts and never speaks TLS", async (t) => {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
  });
  t.after(() => sockets.forEach((each) => each.destroy()));
  const { certificate } = selfSigned("DNS:a.test");
  const channel = dial(t, await listen(t, server), { tls: { roots: certificate, servername: "a.test" }, connectTimeoutMs: 60 });
  await assert.rejects(channel.unary(UNARY, Buffer.alloc(0)), failsWith(GrpcCode.unavailable, /connect timed out after 60 ms/));
});

const rude: readonly [string, (stream: ServerHttp2Stream) => void, number, RegExp][] = [
  ["an HTTP error without grpc-status", (s) => s.respond({ ":status": 503 }, { endStream: true }), GrpcCode.unavailable, /HTTP status 503/],
  [
    "a web page",
    (s) => (s.respond({ ":status": 200, "content-type": "text/html" }), s.end("<html>")),
    GrpcCode.unknown,
    /"text\/html", not gRPC/,
  ],
  [
    "no status at all",
    (s) => (s.respond({ ":status": 200, "content-type": "application/grpc" }), s.end()),
    GrpcCode.internal,
    /without a status/,
  ],
  ["a refused stream", (s) => s.close(7), GrpcCode.unavailable, /error code 7/],
  ["a reset", (s) => s.close(2), GrpcCode.internal, /error code 2/],
  [
    "a headers-only error",
    (s) =>
      s.respond(
        { ":status": 200, "content-type": "application/grpc", "grpc-status": "7", "grpc-message": "no%20entry" },
        { endStream: true },
      ),
    7,
    /^no entry$/,
  ],
  [
    "OK without a message",
    (s) => s.respond({ ":status": 200, "content-type": "application/grpc", "grpc-status": "0" }, { endStream: true }),
    GrpcCode.internal,
    /0 messages/,
  ],
];
for (const [what, onStream, code, message] of rude) {
  test(`understands ${what}`, async (t) => {
    const port = await serveHttp2(t, onStream);
    await assert.rejects(dial(t, port).unary(UNARY, Buffer.from("x"), { timeoutMs: 3000 }), failsWith(code, message));
  });
}

test("ends a stream that the server ended without a status or a reset, though this side has not", async (t) => {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    socket.write(Buffer.from("000000040000000000", "hex")); // SETTINGS
    let received = Buffer.alloc(0);
    let at = 24; // past the preface
    socket.on("data", (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      for (; received.length >= at + 9; at += 9 + received.readUIntBE(at, 3)) {
        // To HEADERS: HEADERS with END_STREAM for stream 1, `:status: 200` and nothing else.
        if (received[at + 3] === 1) socket.write(Buffer.from("00000101050000000188", "hex"));
      }
    });
  });
  t.after(() => sockets.forEach((each) => each.destroy()));
  const ended = Promise.withResolvers<GrpcStatus>();
  dial(t, await listen(t, server)).stream(STREAM, { onMessage: () => assert.fail(), onEnd: ended.resolve });
  assert.deepEqual(await ended.promise, { code: GrpcCode.unknown, message: 'peer answered with content-type "", not gRPC' });
});

test("takes GOAWAY with an error for the end of the connection, and says which", async (t) => {
  const port = await serveHttp2(t, (stream) => stream.session?.goaway(11));
  await assert.rejects(dial(t, port).unary(UNARY, Buffer.alloc(0)), failsWith(GrpcCode.unavailable, /GOAWAY with HTTP\/2 error code 11/));
});

test("speaks TLS, checks the name and the root, and shows its own certificate", async (t) => {
  const own = selfSigned("DNS:controller.test");
  const client = selfSigned("URI:spiffe://td/ns/a/sa/b");
  const stranger = selfSigned("DNS:controller.test");
  let peer: string | undefined;
  const credentials = grpc.ServerCredentials.createSsl(
    Buffer.from(client.certificate),
    [{ private_key: Buffer.from(own.key), cert_chain: Buffer.from(own.certificate) }],
    true,
  );
  const server = await serve(t, {
    unary: (call, answer) => {
      peer = call.getAuthContext()?.sslPeerCertificate?.subjectaltname;
      answer(null, call.request);
    },
    credentials,
  });
  const tls = { roots: own.certificate, servername: "controller.test", cert: client.certificate, key: client.key };
  await dial(t, server.port, { tls }).unary(UNARY, Buffer.from("x"));
  assert.equal(peer, "URI:spiffe://td/ns/a/sa/b");
  const wrongName = dial(t, server.port, { tls: { ...tls, servername: "other.test" } });
  await assert.rejects(wrongName.unary(UNARY, Buffer.from("x")), failsWith(GrpcCode.unavailable, /other\.test/));
  const wrongRoot = dial(t, server.port, { tls: { ...tls, roots: stranger.certificate } });
  await assert.rejects(wrongRoot.unary(UNARY, Buffer.from("x")), failsWith(GrpcCode.unavailable, /self-signed|certificate/));
  const broken = dial(t, server.port, { tls: { ...tls, key: "not PEM" } });
  await assert.rejects(broken.unary(UNARY, Buffer.from("x")), failsWith(GrpcCode.unavailable, /./));
});

test("asks for TLS settings at each connect", async (t) => {
  const own = selfSigned("IP:127.0.0.1");
  const stranger = selfSigned("IP:127.0.0.1");
  const credentials = grpc.ServerCredentials.createSsl(null, [
    { private_key: Buffer.from(own.key), cert_chain: Buffer.from(own.certificate) },
  ]);
  const server = await serve(t, { unary: echo, credentials });
  let roots = stranger.certificate;
  const channel = dial(t, server.port, { tls: () => ({ roots, servername: "127.0.0.1" }) });
  await assert.rejects(channel.unary(UNARY, Buffer.from("x")), failsWith(GrpcCode.unavailable, /./));
  roots = own.certificate;
  assert.equal((await channel.unary(UNARY, Buffer.from("x"))).length, 1);
});
