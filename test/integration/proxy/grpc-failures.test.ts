// gRPC calls that fail on the way or at the server: what their clients are told, and what is counted.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { constants, createServer, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import * as grpc from "@grpc/grpc-js";
import { eventually } from "../../support/eventually.ts";
import { EchoClient, outcomeOf, startEchoServer, type EchoHandlers, type EchoServer, type Outcome } from "../../support/grpc-peers.ts";
import { clientOf, closing, startHop, startSidecars, type GrpcPath, type PathOptions } from "../../support/grpc-planes.ts";
import { startRawServer } from "../../support/raw-peer.ts";

const folder = mkdtempSync(join(tmpdir(), "grpc-failures-"));
after(() => rmSync(folder, { recursive: true }));

const meshError = (outcome: Outcome): string => outcome.trailing.get("x-mesh-error").join();

async function unusedPort(): Promise<number> {
  const server = await startRawServer();
  await server.stop();
  return server.port;
}

describe("a gRPC call whose server", () => {
  test("can't be reached ends with UNAVAILABLE, and says by whose fault", async (context) => {
    const port = await unusedPort();
    const hop = clientOf(context, closing(context, await startHop([port])));
    const { code, details, trailing, initial } = await hop.unary("a");
    assert.deepEqual([code, initial], [grpc.status.UNAVAILABLE, undefined]);
    assert.match(details, /^upstream connect error .* remote connection failure$/);
    assert.match(trailing.get("x-mesh-error").join(), /^UF; by=server; detail="127\.0\.0\.1:\d+: ECONNREFUSED"$/);
    // The server's sidecar says it, and the client's passes it on.
    const mesh = clientOf(context, closing(context, await startSidecars(port, ["meshctl/1", "istio"])));
    assert.match(meshError(await mesh.unary("a")), /^UF; by=server; detail="127\.0\.0\.1:\d+: ECONNREFUSED"$/);
  });

  test("dies in the middle of its answer ends with UNAVAILABLE, and says by whose fault", async (context) => {
    for (const start of [(port: number) => startHop([port]), (port: number) => startSidecars(port, ["meshctl/1", "istio"])]) {
      const server = await startEchoServer({ download: (call) => void call.write(Buffer.from("first")) });
      const path = closing(context, await start(server.port));
      const call = clientOf(context, path).download("");
      const done = outcomeOf(call);
      await new Promise((resolve) => call.once("data", resolve));
      server.stop();
      const outcome = await done;
      assert.equal(outcome.code, grpc.status.UNAVAILABLE, outcome.details);
      assert.match(meshError(outcome), /^U[CR]; by=server; /);
    }
  });

  test("resets its stream ends with UNAVAILABLE, and other calls on the connection go on", async (context) => {
    const message = Buffer.from([0, 0, 0, 0, 1, 120]);
    const server = createServer();
    server.on("stream", (stream: ServerHttp2Stream, headers) => {
      stream.on("error", () => undefined);
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      if (headers[":path"] === "/test.Echo/Unary") stream.end(message);
      else stream.write(message, () => stream.close(constants.NGHTTP2_INTERNAL_ERROR));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const path = closing(context, await startHop([(server.address() as AddressInfo).port]));
    context.after(() => server.close());
    const client = clientOf(context, path);
    const [broken, whole] = await Promise.all([outcomeOf(client.download("")), client.unary("x")]);
    assert.deepEqual([broken.code, broken.messages.map(String), whole.code], [grpc.status.UNAVAILABLE, ["x"], grpc.status.OK]);
    assert.match(meshError(broken), /^UR; by=server; /);
    assert.equal(path.client.stat("cluster.up.upstream_cx_total"), 1);
  });
});

describe("a gRPC call that takes too long", () => {
  const hanging: EchoHandlers = {
    unary: () => undefined,
    download: (call) => void call.write(Buffer.from("first")),
  };

  test("ends at its deadline, before the answer and in the middle of it, through two sidecars", async (context) => {
    const server = closing(context, await startEchoServer(hanging));
    // So that the proxy, not the client, is the one who gives up.
    const action = { grpc_timeout_offset: "5s" };
    const path = closing(context, await startSidecars(server.port, ["meshctl/1", "istio"], { action }));
    const client = clientOf(context, path);
    const [early, late] = await Promise.all([
      client.unary("a", { deadlineMs: 5700 }),
      outcomeOf(client.download("a", { deadlineMs: 5700 })),
    ]);
    for (const outcome of [early, late]) {
      assert.equal(outcome.code, grpc.status.DEADLINE_EXCEEDED);
      assert.match(meshError(outcome), /^UT; by=server; detail="the call's deadline of \d+ ms has passed"$/);
    }
    assert.deepEqual(late.messages.map(String), ["first"]);
  });

  test("ends for both while the client is still sending, and their connections serve other calls", async (context) => {
    let heard = 0;
    let cancelled = 0;
    const server = closing(
      context,
      await startEchoServer({
        chat(call) {
          call.on("data", () => (heard += 1));
          call.on("cancelled", () => (cancelled += 1));
        },
      }),
    );
    const path = closing(context, await startHop([server.port], { action: { grpc_timeout_offset: "5s" } }));
    const client = clientOf(context, path);
    const chat = client.chat({ deadlineMs: 5700 });
    const done = outcomeOf(chat);
    chat.write(Buffer.from("one"));
    await eventually(() => assert.equal(heard, 1), { withinMs: 2000 });
    const outcome = await done;
    assert.equal(outcome.code, grpc.status.DEADLINE_EXCEEDED);
    assert.match(meshError(outcome), /^UT; by=server; /);
    await eventually(() => assert.equal(cancelled, 1), { withinMs: 2000 });
    assert.equal((await client.unary("x")).code, grpc.status.OK);
    assert.deepEqual([path.client.stat("http.test.downstream_cx_total"), path.client.stat("cluster.up.upstream_cx_total")], [1, 1]);
  });
});

test("gRPC calls that a sidecar's end cuts off end with UNAVAILABLE, and say that it was the sidecar", async (context) => {
  const server = closing(context, await startEchoServer({ unary: () => undefined, download: (call) => void call.write(Buffer.from("x")) }));
  const path = await startHop([server.port]);
  const client = clientOf(context, path);
  const [early, stream] = [client.unary("a"), client.download("a")];
  const late = outcomeOf(stream);
  await new Promise((resolve) => stream.once("data", resolve));
  await eventually(() => assert.equal(server.calls, 2), { withinMs: 2000 });
  await path.stop();
  for (const outcome of [await early, await late]) {
    assert.equal(outcome.code, grpc.status.UNAVAILABLE);
    assert.match(meshError(outcome), /^LR; by=client-sidecar; /);
  }
});

describe("what is known of gRPC calls", () => {
  const log = join(folder, "access.log");
  let server: EchoServer;
  let path: GrpcPath;
  let client: EchoClient;

  before(async () => {
    server = await startEchoServer({
      unary: (call, done) => done(call.request.length === 0 ? { code: grpc.status.NOT_FOUND } : null, call.request),
      download(call) {
        const [count] = call.request;
        for (let left = count!; left > 0; left -= 1) call.write(Buffer.alloc(70_000));
        if (count !== 9) call.end();
      },
    });
    const format = "%GRPC_STATUS% %GRPC_STATUS(SNAKE_STRING)% %GRPC_STATUS(NUMBER)% %GRPC_STATUS_NUMBER% %RESPONSE_FLAGS%\n";
    const manager: PathOptions["manager"] = {
      access_log: [
        {
          name: "envoy.access_loggers.file",
          typed_config: {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            path: log,
            log_format: { text_format_source: { inline_string: format } },
          },
        },
      ],
    };
    path = await startSidecars(server.port, ["meshctl/1", "istio"], { manager });
    client = new EchoClient(path.port);
  });
  after(async () => {
    client.close();
    server.stop();
    await path.stop();
  });

  /** Requests and messages of both directions by status, at the client's sidecar and at the server's. */
  function counted(status: string): number[] {
    const labels = { request_protocol: "grpc", grpc_response_status: status };
    return [path.client, path.server].flatMap((plane) =>
      ["istio_requests_total", "istio_request_messages_total", "istio_response_messages_total"].map((name) => plane.metric(name, labels)),
    );
  }

  test("counts by status, with the messages of both directions, at both sidecars", async () => {
    await client.unary("a");
    await client.unary("b");
    await outcomeOf(client.download(Buffer.from([5])));
    await client.upload([Buffer.alloc(1), Buffer.alloc(0), Buffer.alloc(200_000)]);
    assert.deepEqual(counted("0"), [4, 6, 8, 4, 6, 8]);
    await client.unary("");
    assert.deepEqual(counted("5"), [1, 1, 0, 1, 1, 0]);
  });

  test("is for its host a success or an error by whether the server failed", async (context) => {
    const other = closing(
      context,
      await startEchoServer({
        unary: (call, done) => done({ code: Number(call.request.toString()) }),
        download(call) {
          call.write(Buffer.from("first"));
          call.emit("error", { code: 15 });
        },
      }),
    );
    const hop = closing(context, await startHop([other.port]));
    const caller = clientOf(context, hop);
    for (let code = 1; code <= 16; code += 1) await caller.unary(String(code));
    await caller.upload([]);
    const rated = (): number[] =>
      hop.client.plane
        .hostStatuses()
        .get("up")!
        .flatMap(({ rqSuccess, rqError }) => [rqSuccess, rqError]);
    assert.deepEqual(rated(), [11, 6]);
    await outcomeOf(caller.download(""));
    assert.deepEqual(rated(), [11, 7]);
  });

  test("counts a call that its client gives up as CANCELLED", async () => {
    const call = client.download(Buffer.from([9]));
    const done = outcomeOf(call);
    let came = 0;
    await new Promise<void>((resolve) =>
      call.on("data", () => {
        came += 1;
        if (came === 9) resolve();
      }),
    );
    call.cancel();
    await done;
    await eventually(() => assert.deepEqual(counted("1"), [1, 1, 9, 1, 1, 9]), { withinMs: 3000 });
  });

  test("stands in the access log in all of Envoy's spellings", async () => {
    await path.stop();
    const lines = readFileSync(log, "utf8").trimEnd().split("\n");
    assert.deepEqual(lines, [...Array.from({ length: 4 }, () => "OK OK 0 0 -"), "NotFound NOT_FOUND 5 5 -", "Canceled CANCELLED 1 1 DR"]);
  });
});
