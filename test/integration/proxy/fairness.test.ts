// Many exchanges on one connection (HTTP/2 of a client, HTTP/2 to a server, the mesh transport): a body without end, or one
// that nobody reads, in either direction, takes nothing from the others.
import assert from "node:assert/strict";
import { Agent, createServer, request as request1, type IncomingMessage, type ServerResponse } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import type { AddressInfo, Server } from "node:net";
import type { Readable, Writable } from "node:stream";
import { text } from "node:stream/consumers";
import { describe, test, type TestContext } from "node:test";
import { eventually } from "../../support/eventually.ts";
import { plainHop, startPlane, type Json } from "../../support/proxy-plane.ts";
import { MESH_ALPN, startSidecarPair } from "../../support/sidecar-pair.ts";

const BLOCK = Buffer.alloc(65_536, "x");
/** Far more than every window and buffer on the way. */
const UNDER_WAY_BYTES = 4 * 1024 * 1024;
/** More than a connection's window holds, of what each may have on its way. */
const UNREAD = 48;
const SMALL_REQUESTS = 30;
/** Short of a standstill, with everything in one thread of a machine that others use. */
const LONGEST_MS = 5000;
const within = { withinMs: 20_000 };

/** Ends with its other side only. */
function pourInto(target: Writable): void {
  const pour = (): void => {
    while (!target.destroyed && target.write(BLOCK));
  };
  target.on("drain", pour).on("error", () => undefined);
  pour();
}

/** Counts what the paths /endless and /taken move; bodies to /ignored are not read. */
class Application {
  takenBytes = 0;

  readonly serve = (request: IncomingMessage, response: ServerResponse): void => {
    request.on("error", () => undefined);
    if (request.url === "/endless") {
      response.statusCode = 200;
      pourInto(response);
    } else if (request.url === "/taken") request.on("data", (piece: Buffer) => (this.takenBytes += piece.length));
    else if (request.url !== "/ignored") response.end("small");
  };
}

interface Client {
  small(): Promise<string>;
  download(): Promise<Readable>;
  upload(path: string): Writable;
}

function http1Client(context: TestContext, port: number): Client {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const open = new Set<{ destroy(): void }>([agent]);
  context.after(() => open.forEach((each) => each.destroy()));
  const ask = (path: string, options: object): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const request = request1({ port, path, ...options }, (response) => resolve(response.on("error", () => undefined))).on(
        "error",
        reject,
      );
      open.add(request.end());
    });
  return {
    small: async () => text(await ask("/small", { agent })),
    download: () => ask("/endless", { agent: false }),
    upload(path) {
      const request = request1({ port, path, method: "POST", agent: false }).on("error", () => undefined);
      open.add(request);
      return request;
    },
  };
}

function http2Client(context: TestContext, port: number): Client {
  const session = connectHttp2(`http://127.0.0.1:${port}`).on("error", () => undefined);
  context.after(() => session.destroy());
  // Else a stream that is not read would use up Node's own window of the connection.
  session.on("connect", () => session.setLocalWindowSize(64 * 1024 * 1024));
  const ask = (headers: Record<string, string>, endStream: boolean) => session.request(headers, { endStream }).on("error", () => undefined);
  return {
    small: () => text(ask({ ":path": "/small" }, true)),
    download: () => Promise.resolve(ask({ ":path": "/endless" }, true)),
    upload: (path) => ask({ ":path": path, ":method": "POST" }, false),
  };
}

interface Path {
  readonly client: Client;
  readonly application: Application;
  /** Connections that are shared, of which there is one. */
  readonly shared: () => number;
}

async function listen(context: TestContext, server: Server): Promise<number> {
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  context.after(() => void server.close());
  return (server.address() as AddressInfo).port;
}

async function hop(context: TestContext, port: number, cluster: Json = {}) {
  const plane = await startPlane(plainHop([port], { cluster }));
  context.after(() => plane.stop());
  return plane;
}

const PATHS: Readonly<Record<string, (context: TestContext) => Promise<Path>>> = {
  "HTTP/2 of a client": async (context) => {
    const application = new Application();
    const plane = await hop(context, await listen(context, createServer(application.serve)));
    return { application, client: http2Client(context, plane.port()), shared: () => plane.stat("http.test.downstream_cx_http2_total") };
  },
  "HTTP/2 to a server": async (context) => {
    const application = new Application();
    // Node's own server resets a stream whose end has to wait for a window, before what waits has gone.
    const server = await hop(context, await listen(context, createServer(application.serve)));
    const plane = await hop(context, server.port(), { http2_protocol_options: {} });
    return { application, client: http1Client(context, plane.port()), shared: () => plane.stat("cluster.up.upstream_cx_http2_total") };
  },
  "the mesh transport": async (context) => {
    const application = new Application();
    const appPort = await listen(context, createServer(application.serve));
    const pair = await startSidecarPair(context, MESH_ALPN, { appPort });
    const client = http1Client(context, pair.client.port());
    return { application, client, shared: () => pair.server.stat("http.test.downstream_cx_http2_total") };
  },
};

for (const [name, start] of Object.entries(PATHS)) {
  describe(`on ${name}, small requests are served beside`, () => {
    async function assertServed({ client, shared }: Path): Promise<void> {
      for (let count = 0; count < SMALL_REQUESTS; count += 1) {
        const startedAt = performance.now();
        assert.equal(await client.small(), "small");
        const tookMs = performance.now() - startedAt;
        assert.ok(tookMs < LONGEST_MS, `request ${count} took ${tookMs.toFixed(0)} ms`);
      }
      assert.equal(shared(), 1);
    }

    test("a response that is read as fast as it comes", async (context) => {
      const path = await start(context);
      let bytes = 0;
      (await path.client.download()).on("data", (piece: Buffer) => (bytes += piece.length));
      await eventually(() => assert.ok(bytes > UNDER_WAY_BYTES), within);
      const before = bytes;
      await assertServed(path);
      assert.ok(bytes > before, "it stands still itself");
    });

    test("many responses that nobody reads", async (context) => {
      const path = await start(context);
      await Promise.all(Array.from({ length: UNREAD }, () => path.client.download()));
      await assertServed(path);
    });

    test("a request that the server reads as fast as it comes", async (context) => {
      const path = await start(context);
      pourInto(path.client.upload("/taken"));
      await eventually(() => assert.ok(path.application.takenBytes > UNDER_WAY_BYTES), within);
      const before = path.application.takenBytes;
      await assertServed(path);
      assert.ok(path.application.takenBytes > before, "it stands still itself");
    });

    test("many requests that the server does not read", async (context) => {
      const path = await start(context);
      const uploads = Array.from({ length: UNREAD }, () => path.client.upload("/ignored"));
      uploads.forEach(pourInto);
      await eventually(() => assert.ok(uploads.every((each) => each.writableNeedDrain)), within);
      await assertServed(path);
    });
  });

  test(`on ${name}, large responses share alike`, async (context) => {
    const { client } = await start(context);
    const bytes = [0, 0, 0, 0];
    const downloads = await Promise.all(bytes.map(() => client.download()));
    downloads.forEach((each, index) => each.on("data", (piece: Buffer) => (bytes[index]! += piece.length)));
    await eventually(() => assert.ok(bytes.reduce((sum, each) => sum + each) > 4 * UNDER_WAY_BYTES), within);
    assert.ok(Math.min(...bytes) > Math.max(...bytes) / 3, `bytes of each: ${bytes.join()}`);
  });
}
