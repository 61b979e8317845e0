// What is written to a TLS socket while a write is under way is kept back, in order and whole.
import assert from "node:assert/strict";
import type { AddressInfo } from "node:net";
import { before, describe, test, type TestContext } from "node:test";
import { connect, createServer, type TLSSocket } from "node:tls";
import { SocketWriter } from "../../../../src/proxy-runtime/transport/socket-writer.ts";
import { TEST_IO } from "../../../support/fed-socket.ts";
import { createIdentities, type TestCertificate } from "../../../support/test-identities.ts";

let certificate: TestCertificate;
before(async () => {
  certificate = await (await createIdentities()).issue("writer");
});

/** A writer on a TLS socket, and what its peer has read when the end has come. */
async function startPair(context: TestContext) {
  const server = createServer(certificate, (socket) =>
    socket.on("data", (chunk: Buffer) => chunks.push(chunk)).once("end", () => ended.resolve()),
  );
  const chunks: Buffer[] = [];
  const ended = Promise.withResolvers<void>();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const socket: TLSSocket = connect({ port: (server.address() as AddressInfo).port, host: "127.0.0.1", rejectUnauthorized: false });
  context.after(() => {
    socket.destroy();
    server.close();
  });
  await new Promise<void>((resolve, reject) => socket.once("secureConnect", resolve).once("error", reject));
  const writer = new SocketWriter(socket, TEST_IO.queue, TEST_IO.blocks, TEST_IO.relayBlocks, () => undefined);
  const received = async (): Promise<string> => {
    await ended.promise;
    return Buffer.concat(chunks).toString("latin1");
  };
  return { writer, received };
}

function letters(length: number, seed: number): string {
  return Array.from({ length }, (_, index) => String.fromCharCode(97 + ((index * 7 + seed) % 26))).join("");
}

describe("a writer on a TLS socket", () => {
  test("sends text, bytes and the end in the order in which they were written", async (context) => {
    const { writer, received } = await startPair(context);
    let expected = "";
    for (let round = 0; round < 12; round += 1) {
      // Bytes that fill blocks, then text that must not overtake them; the third is larger than any small block.
      const bytes = letters(90_000 + round, round);
      const text = letters(round % 3 === 2 ? 400_000 : 300, round + 1);
      writer.writeBytes(Buffer.from(bytes, "latin1"));
      writer.writeText(text);
      if (round % 4 === 3) writer.flush();
      expected += bytes + text;
    }
    writer.end();
    const text = await received();
    assert.equal(text.length, expected.length);
    assert.ok(text === expected, "the same bytes in the same order");
  });

  test("counts what it keeps back as pending, and asks to stop", async (context) => {
    const { writer, received } = await startPair(context);
    const bytes = Buffer.alloc(65_536, "x");
    for (let count = 1; count <= 17; count += 1) {
      assert.equal(writer.isBlocked, count > 5, `before write ${count}`);
      assert.equal(writer.isFull, false, `before write ${count}`);
      writer.writeBytes(bytes);
      assert.equal(writer.pendingBytes, count * bytes.length);
    }
    assert.equal(writer.isFull, true);
    writer.end();
    assert.equal((await received()).length, 17 * bytes.length);
    assert.equal(writer.pendingBytes, 0);
  });
});
