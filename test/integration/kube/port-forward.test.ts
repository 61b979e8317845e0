// Port-forwarding through the API server double to real TCP servers.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { text } from "node:stream/consumers";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { systemClock } from "../../../src/common/clock.ts";
import { ApiError } from "../../../src/kube/api-error.ts";
import { loadKubeconfig } from "../../../src/kube/cluster-config.ts";
import type { ClusterConnection } from "../../../src/kube/cluster-connection.ts";
import { openPortForward, POD_FAILED } from "../../../src/kube/port-forward.ts";
import { ApiServer } from "../../support/api-server/api-server.ts";
import { ApiFailure } from "../../support/api-server/api-status.ts";
import { eventually } from "../../support/eventually.ts";

const WITHIN = { withinMs: 5000 };
const folder = mkdtempSync(join(tmpdir(), "meshctl-port-forward-"));
after(() => rmSync(folder, { recursive: true, force: true }));

describe("a forwarded port", () => {
  const api = new ApiServer();
  const servers: net.Server[] = [];
  const sockets = new Set<net.Socket>();
  let connection: ClusterConnection;
  let streams: Duplex[] = [];
  before(() => api.start());
  after(() => api.stop());
  beforeEach(() => {
    const path = join(folder, "config");
    writeFileSync(path, api.kubeconfig());
    connection = loadKubeconfig({ kubeconfig: path, context: undefined, as: "jane" }, {});
    api.create({ apiVersion: "v1", kind: "Pod", metadata: { name: "web-1", namespace: "shop" } });
  });
  afterEach(() => {
    api.delete({ apiVersion: "v1", kind: "Pod", metadata: { name: "web-1", namespace: "shop" } });
    api.forward = () => undefined;
    api.release();
    connection.close();
    for (const each of streams) each.destroy();
    for (const each of servers.splice(0)) each.close();
    for (const each of sockets) each.destroy();
    streams = [];
  });

  async function listen(onConnection: (socket: net.Socket) => void): Promise<void> {
    const server = net.createServer({ allowHalfOpen: true }, (socket) => {
      sockets.add(socket.on("error", () => undefined).on("close", () => sockets.delete(socket)));
      onConnection(socket);
    });
    servers.push(server);
    await once(server.listen(0, "127.0.0.1"), "listening");
    const { port } = server.address() as net.AddressInfo;
    api.forward = (namespace, pod, wanted) => (`${namespace}/${pod}:${wanted}` === "shop/web-1:15000" ? { port } : undefined);
  }

  async function open(pod = "web-1", timeoutMs = 5000): Promise<Duplex> {
    const stream = await openPortForward(connection, { namespace: "shop", pod, port: 15000 }, { clock: systemClock, timeoutMs });
    streams.push(stream);
    return stream;
  }

  /** Until a count that has begun doesn't grow any more. */
  async function untilStill(count: () => number): Promise<void> {
    let before = 0;
    let changedMs = performance.now();
    await eventually(() => {
      if (count() !== before) changedMs = performance.now();
      before = count();
      // Long enough for a machine that is busy with something else.
      assert.ok(before > 0 && performance.now() - changedMs > 500, `${before} bytes`);
    }, WITHIN);
  }

  async function refusal(promise: Promise<unknown>): Promise<ApiError> {
    const error = await promise.then(
      () => assert.fail("nothing was refused"),
      (reason: unknown) => reason,
    );
    assert.ok(error instanceof ApiError, String(error));
    return error;
  }

  test("carries bytes both ways, as whom the configuration says, and ends when the far side does", async () => {
    await listen((socket) => socket.once("data", (bytes) => socket.end(`${String(bytes)} yourself`)));
    const stream = await open();
    stream.write("hello");
    assert.equal(await text(stream), "hello yourself");
    const seen = api.requests.at(-1);
    assert.equal(seen?.path, "/api/v1/namespaces/shop/pods/web-1/portforward");
    assert.equal(seen?.authorization, "Bearer t0ken");
    assert.equal(seen?.as, "jane");
  });

  test("gives the pod's error to whoever uses it", async () => {
    const answer = open().then((stream) => text(stream));
    assert.match((await refusal(answer)).message, /^error forwarding port 15000 to pod .* connection refused$/);
  });

  test("lets the pod wait while nobody reads", async () => {
    const total = 32 * 1024 * 1024;
    let sent = 0;
    await listen((socket) => {
      const block = Buffer.alloc(64 * 1024, "x");
      const more = (): void => {
        while (sent < total) {
          sent += block.length;
          if (!socket.write(block)) return;
        }
        socket.end();
      };
      socket.on("drain", more);
      more();
    });
    const stream = await open();
    await untilStill(() => sent);
    assert.ok(sent < total, "all was sent, and nobody had read it");
    let received = 0;
    for await (const chunk of stream) received += (chunk as Buffer).length;
    assert.equal(received, total);
  });

  test("waits while the pod doesn't read", async () => {
    let pod: net.Socket | undefined;
    await listen((socket) => (pod = socket.pause()));
    const stream = await open();
    const total = 32 * 1024 * 1024;
    let taken = 0;
    const writing = (async () => {
      const block = Buffer.alloc(64 * 1024, "x");
      for (; taken < total; taken += block.length) if (!stream.write(block)) await once(stream, "drain");
    })();
    await untilStill(() => taken);
    assert.ok(taken < total, "all was taken, and nobody had read it");
    let received = 0;
    pod!.on("data", (bytes) => (received += bytes.length)).resume();
    await writing;
    await eventually(() => assert.equal(received, total), WITHIN);
  });

  test("closes the pod's connection when it is destroyed", async () => {
    let isClosed = false;
    await listen((socket) =>
      socket
        .on("close", () => (isClosed = true))
        .on("end", () => socket.end())
        .resume(),
    );
    (await open()).destroy();
    await eventually(() => assert.ok(isClosed), WITHIN);
  });

  test("fails when the API server goes away under it", async () => {
    await listen(() => undefined);
    const stream = await open();
    const failure = refusal(text(stream));
    api.cutConnections();
    assert.equal((await failure).message, "the connection broke off");
  });

  test("is refused with the API server's own words", async () => {
    const missing = await refusal(open("web-2"));
    assert.deepEqual([missing.code, missing.message], [404, 'pods "web-2" not found']);
    api.failNext(new ApiFailure(403, "Forbidden", "pods is forbidden: no portforward for you"));
    const forbidden = await refusal(open());
    assert.deepEqual(
      [forbidden.code, forbidden.reason, forbidden.message],
      [403, "Forbidden", "pods is forbidden: no portforward for you"],
    );
  });

  test("takes its time only as long as it may", async () => {
    api.hold();
    const held = await refusal(open("web-1", 50));
    assert.deepEqual([held.reason, held.message], ["", "no answer within 0.05 s"]);
    api.release();
    api.forward = () => "silent";
    const silent = await refusal(open("web-1", 200));
    assert.deepEqual([silent.reason, silent.message], [POD_FAILED, "no answer within 0.2 s"]);
  });

  test("says that nothing listens where the API server should be", async () => {
    await api.stop();
    try {
      assert.equal((await refusal(open())).message, "nothing listens there");
    } finally {
      await api.start();
    }
  });
});
