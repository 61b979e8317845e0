// The generator of the tcp scenario: bytes that are lost are no measurement.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { join } from "node:path";
import { describe, test, type TestContext } from "node:test";
import { promisify } from "node:util";

const SOURCE = join(import.meta.dirname, "../../../bench/load/stream-source.ts");
const run = promisify(execFile);

/** A far end that counts, and says so many more than it has counted. */
async function farEnd(context: TestContext, more: number): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    let count = 0;
    sockets.add(socket);
    socket.on("data", (piece: Buffer) => (count += piece.length));
    socket.on("end", () => socket.end(String(count + more)));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  context.after(() => {
    for (const each of sockets) each.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

describe("the source of streams", () => {
  test("prints what the far end has counted", async (context) => {
    const port = await farEnd(context, 0);
    const { stdout } = await run(process.execPath, [SOURCE, String(port), "3", "0.2"]);
    const { bytes, seconds } = JSON.parse(stdout) as { bytes: number; seconds: number };
    assert.ok(bytes > 0 && bytes % 65536 === 0, `${bytes} bytes`);
    assert.ok(seconds >= 0.2);
  });

  test("fails when other bytes came than were sent", async (context) => {
    const port = await farEnd(context, -1);
    await assert.rejects(run(process.execPath, [SOURCE, String(port), "1", "0.1"]), /bytes were sent and \d+ came/);
  });
});
