// What enters by a published port reaches the Service under its own name, in the version of HTTP that it came in.
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import net from "node:net";
import { after, before, describe, test } from "node:test";
import * as grpc from "@grpc/grpc-js";
import { startForwarder } from "../../../src/local/publish/forwarder.ts";

const asIs = (message: Buffer): Buffer => message;
const METHOD = { requestSerialize: asIs, requestDeserialize: asIs, responseSerialize: asIs, responseDeserialize: asIs };
const UNARY = { path: "/echo/Say", requestStream: false, responseStream: false, ...METHOD };
const STREAMING = { path: "/echo/Chat", requestStream: true, responseStream: true, ...METHOD };

const ends: (() => unknown)[] = [];
after(() => ends.splice(0).forEach((end) => void end()));

/** Port of a forwarder to a port of this machine. */
async function forwardTo(targetPort: number): Promise<number> {
  const server = await startForwarder({ port: 0, host: "localhost", targetPort });
  ends.push(() => server.close());
  return (server.address() as net.AddressInfo).port;
}

async function listen(server: net.Server): Promise<number> {
  server.listen(0, "localhost");
  ends.push(() => server.close());
  await once(server, "listening");
  return (server.address() as net.AddressInfo).port;
}

describe("a gRPC service behind a published port", () => {
  let target = 0;
  let host = "";
  let client: grpc.Client;

  const say = (text: string): Promise<string> =>
    new Promise((resolve) =>
      client.makeUnaryRequest(UNARY.path, asIs, asIs, Buffer.from(text), (error, answer) =>
        resolve(error === null ? String(answer) : `${error.code} ${error.details}`),
      ),
    );

  before(async () => {
    const server = new grpc.Server();
    server.addService(
      { say: UNARY, chat: STREAMING },
      {
        say: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
          host = call.getHost();
          if (String(call.request) === "fail") done({ code: grpc.status.NOT_FOUND, details: "no such thing" });
          else done(null, Buffer.from(`heard ${String(call.request)}`));
        },
        chat: (call: grpc.ServerDuplexStream<Buffer, Buffer>) => {
          call.on("data", (message: Buffer) => call.write(message));
          call.on("end", () => call.end());
        },
      },
    );
    ends.push(() => server.forceShutdown());
    target = await new Promise<number>((resolve, reject) =>
      server.bindAsync("localhost:0", grpc.ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound))),
    );
    client = new grpc.Client(`127.0.0.1:${await forwardTo(target)}`, grpc.credentials.createInsecure());
    ends.push(() => client.close());
  });

  test("answers calls, under its own name", async () => {
    assert.equal(await say("hello"), "heard hello");
    assert.equal(host, `localhost:${target}`);
  });

  test("tells its errors", async () => assert.equal(await say("fail"), "5 no such thing"));

  test("streams both ways", async () => {
    const call = client.makeBidiStreamRequest(STREAMING.path, asIs, asIs);
    for (const text of ["one", "two"]) {
      call.write(Buffer.from(text));
      assert.equal(String((await once(call, "data"))[0]), text);
    }
    call.end();
    const [status] = (await once(call, "status")) as [grpc.StatusObject];
    assert.equal(status.code, grpc.status.OK);
  });
});

test("a service that can't be reached is said so, over HTTP/2 too", async () => {
  const server = net.createServer();
  const target = await listen(server);
  server.close();
  const session = http2.connect(`http://127.0.0.1:${await forwardTo(target)}`);
  ends.push(() => session.destroy());
  const stream = session.request({ ":path": "/" });
  const [headers] = (await once(stream, "response")) as [http2.IncomingHttpHeaders];
  assert.equal(headers[":status"], 502);
  assert.match(String((await stream.setEncoding("utf8").toArray()).join("")), /^meshctl-ingress: localhost:\d+: .*ECONNREFUSED/);
});

test("HTTP/1 has the service's name as Host, and the one that it came with beside it", async () => {
  const target = await listen(http.createServer((request, response) => response.end(JSON.stringify(request.headers))));
  const port = await forwardTo(target);
  const headers = (await (await fetch(`http://127.0.0.1:${port}/`)).json()) as Record<string, string>;
  assert.deepEqual([headers["host"], headers["x-forwarded-host"]], [`localhost:${target}`, `127.0.0.1:${port}`]);
});

test("what is no HTTP passes as it is, and a server may speak first", async () => {
  const target = await listen(
    net.createServer((socket) => {
      socket.write("220 hello\n");
      socket.pipe(socket);
    }),
  );
  const client = net.connect(await forwardTo(target), "127.0.0.1").setEncoding("utf8");
  ends.push(() => client.destroy());
  assert.equal((await once(client, "data"))[0], "220 hello\n");
  client.write("PRINT\n");
  assert.equal((await once(client, "data"))[0], "PRINT\n");
});
