import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import net, { type AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";
import { AdminClient } from "../../../src/cli/admin-client.ts";
import { UserError } from "../../../src/common/user-error.ts";

describe("the admin client", () => {
  let sockets = 0;
  const server = http.createServer((request, response) => {
    if (request.url === "/silent") return;
    if (request.url === "/half") return void response.writeHead(200, { "content-length": "100" }).write("half");
    if (request.url === "/closed") return void request.socket.destroy();
    if (request.url === "/idle-closed" && requestsOf(request.socket) > 1) return void request.socket.destroy();
    if (request.url === "/error") return void response.writeHead(400).end("error: bad\nmore\n");
    if (request.url === "/broken") return void response.writeHead(500).end("out of order");
    response.end(request.method === "POST" ? "posted" : `{"path":"${request.url}"}`);
  });
  server.on("connection", () => sockets++);
  const requests = new WeakMap<net.Socket, number>();
  const requestsOf = (socket: net.Socket): number => {
    const count = (requests.get(socket) ?? 0) + 1;
    requests.set(socket, count);
    return count;
  };
  before(() => once(server.listen(0, "127.0.0.1"), "listening"));
  after(() => {
    server.closeAllConnections();
    server.close();
  });

  function client(timeoutMs = 5000): AdminClient {
    const { port } = server.address() as AddressInfo;
    const connect = async (): Promise<net.Socket> => {
      const socket = net.connect(port, "127.0.0.1");
      await once(socket, "connect");
      return socket;
    };
    return new AdminClient({ description: "the sidecar of web-1.shop", hint: "look at it", connect }, timeoutMs);
  }

  async function refusal(admin: AdminClient, path: string): Promise<UserError> {
    try {
      await admin.getJson(path);
    } catch (error) {
      assert.ok(error instanceof UserError, String(error));
      assert.equal(error.hint, "look at it");
      return error;
    } finally {
      await admin.close();
    }
    assert.fail("nothing was thrown");
  }

  test("asks again and again over one connection", async () => {
    const admin = client();
    sockets = 0;
    assert.deepEqual(await admin.getJson("/stats?x=1"), { path: "/stats?x=1" });
    assert.equal(await admin.post("/quit"), "posted");
    assert.equal(await admin.get("/b"), '{"path":"/b"}');
    assert.equal(sockets, 1);
    await admin.close();
  });

  test("asks once more over a new connection when the one in use was closed, and no third time", async () => {
    const admin = client();
    sockets = 0;
    for (const _ of [1, 2, 3]) assert.equal(await admin.get("/idle-closed"), '{"path":"/idle-closed"}');
    assert.equal(sockets, 3);
    sockets = 0;
    assert.match((await refusal(admin, "/closed")).message, /does not answer \/closed: other side closed$/);
    assert.equal(sockets, 1, "beside the one that was open");
  });

  test("names the status and the first line of a refusal", async () => {
    const admin = client();
    await assert.rejects(admin.get("/error"), {
      message: "the sidecar of web-1.shop answered /error with 400: error: bad",
      hint: undefined,
    });
    await admin.close();
    assert.equal((await refusal(client(), "/broken")).message, "the sidecar of web-1.shop answered /broken with 500: out of order");
  });

  test("gives up on a sidecar that keeps silent", async () => {
    assert.match(
      (await refusal(client(200), "/silent")).message,
      /^the sidecar of web-1\.shop does not answer \/silent: no answer in time$/,
    );
  });

  test("gives up on an answer that stops in the middle", async () => {
    assert.match((await refusal(client(200), "/half")).message, /does not answer \/half: no answer in time$/);
  });

  test("says what the connector said when the pod is gone", async () => {
    const connect = (): Promise<never> => Promise.reject(new UserError("cannot reach port 15000 of pod web-1.shop", "look at it"));
    const admin = new AdminClient({ description: "the sidecar", hint: "", connect });
    assert.equal((await refusal(admin, "/x")).message, "cannot reach port 15000 of pod web-1.shop");
  });
});
