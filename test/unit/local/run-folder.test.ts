import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, test } from "node:test";
import { NetworkNamespace } from "../../../src/local/network/namespace-socket.ts";
import { openPodSocket } from "../../../src/local/network/pod-socket.ts";
import { identifyProcess, isAlive, parseProcessIdentity } from "../../../src/local/process-identity.ts";
import { connectToPod, type MeshInfo, type PodInfo } from "../../../src/local/run-folder.ts";

describe("the way into a pod", { skip: process.platform !== "linux" }, () => {
  let folder: string;
  let entrance: net.Server;
  let namespace: NetworkNamespace;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "meshctl-test-"));
    mkdirSync(join(folder, "s"));
    // This process's own namespace stands for the pod's: entering it needs no rights that the test may lack.
    namespace = new NetworkNamespace("/proc/self/ns/net");
    entrance = await openPodSocket(join(folder, "s/1.sock"), namespace);
  });
  afterEach(() => {
    entrance.close();
    namespace.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const mesh = { name: "m" } as MeshInfo;
  const pod = (): PodInfo => ({ name: "p", namespace: "n", socketPath: join(folder, "s/1.sock") }) as PodInfo;
  const canEnter = process.getuid?.() === 0;

  async function listen(server: net.Server, host: string): Promise<number> {
    await new Promise<void>((resolve) => server.listen(0, host, resolve));
    return (server.address() as net.AddressInfo).port;
  }

  for (const host of ["127.0.0.1", "::1"]) {
    test(`relays bytes to ${host}, and the end of each direction by itself`, { skip: !canEnter && "needs root" }, async () => {
      const server = net.createServer({ allowHalfOpen: true }, (socket) => {
        let received = "";
        socket.setEncoding("utf8").on("data", (chunk: string) => (received += chunk));
        socket.on("end", () => socket.end(received.toUpperCase()));
      });
      const port = await listen(server, host);
      try {
        const socket = await connectToPod(mesh, pod(), port);
        socket.end("hello ".repeat(100_000));
        const answer = await text(socket);
        assert.equal(answer.length, 600_000);
        assert.ok(answer.startsWith("HELLO HELLO "));
      } finally {
        server.close();
      }
    });
  }

  test("says that nothing listens on the port", { skip: !canEnter && "needs root" }, async () => {
    const server = net.createServer();
    const port = await listen(server, "127.0.0.1");
    await new Promise((resolve) => server.close(resolve));
    await assert.rejects(connectToPod(mesh, pod(), port), {
      message: new RegExp(`cannot reach port ${port} of pod p\\.n in mesh m: .*nothing listens`),
    });
  });

  for (const request of ["0\n", "99999\n", "http\n", "1234567890123456789"]) {
    test(`refuses ${JSON.stringify(request)}`, async () => {
      const socket = net.connect(join(folder, "s/1.sock"));
      socket.write(request);
      assert.match(await text(socket), /^ERR /);
    });
  }
});

describe("a process's identity", { skip: process.platform !== "linux" }, () => {
  test("is the same when read from a line kept earlier, and alive", () => {
    const own = identifyProcess(process.pid);
    assert.ok(own !== undefined && isAlive(own));
    const line = `${process.pid} (a) name (x)) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 ${own.startTicks} 20`;
    assert.deepEqual(parseProcessIdentity(line), own);
  });

  test("does not fit a later process of the same number", () => {
    assert.equal(isAlive({ pid: process.pid, startTicks: "1" }), false);
    assert.equal(identifyProcess(2 ** 22 + 1), undefined);
  });
});
