// Bodies that are far larger than a proxy may become, between ends of which one is slow.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { open, readSlowly, receives, writeAll } from "../support/abuse/bodies.ts";
import { scaled } from "../support/abuse/scale.ts";
import { abuse } from "../support/abuse/rounds.ts";
import { setMeshStage, setStage } from "../support/abuse/stage.ts";
import type { Stage } from "../support/abuse/stage.ts";

const MIB = 1024 * 1024;
/** At the same time, of one round. */
const AT_ONCE = scaled(2, 4);
const EACH_BYTES = scaled(1024, 32) * MIB;
/** So long that every buffer on the way is full before reading begins. */
const STALL_MS = 500;
const CEILING_MB = 96;
/** With the windows of a connection that all share. */
const MESH_CEILING_MB = 160;

const everyOne = (work: () => Promise<void>): Promise<unknown> => Promise.all(Array.from({ length: AT_ONCE }, work));

async function download({ ports }: Stage): Promise<void> {
  const socket = await open(ports.http);
  socket.write(`GET /bytes/${EACH_BYTES} HTTP/1.1\r\nHost: a\r\n\r\n`);
  await readSlowly(socket, EACH_BYTES, STALL_MS);
  socket.destroy();
}

async function upload({ ports }: Stage): Promise<void> {
  const socket = await open(ports.http);
  socket.write(`POST /slowly HTTP/1.1\r\nHost: a\r\nContent-Length: ${EACH_BYTES}\r\n\r\n`);
  await writeAll(socket, EACH_BYTES);
  assert.match(await receives(socket, `\r\n\r\n${EACH_BYTES}`), /^HTTP\/1\.1 200 /);
  socket.destroy();
}

for (const [title, set, ceilingMb] of [
  ["one proxy", setStage, CEILING_MB],
  ["two sidecars with mTLS between them", setMeshStage, MESH_CEILING_MB],
] as const) {
  describe(`through ${title}`, () => {
    test("large bodies down to slow readers stay out of memory, and others are served", async (context) => {
      const stage = await set(context);
      await abuse(stage, async () => void (await everyOne(() => download(stage))), { ceilingMb });
    });

    test("large bodies up to a slow server stay out of memory, and others are served", async (context) => {
      const stage = await set(context);
      await abuse(stage, async () => void (await everyOne(() => upload(stage))), { ceilingMb });
    });
  });
}

test("bytes that come back to a client that is slow to read them stay out of the memory of a TCP relay", async (context) => {
  const stage = await setStage(context);
  await abuse(
    stage,
    async () => {
      await everyOne(async () => {
        const socket = await open(stage.ports.tcp);
        await Promise.all([writeAll(socket, EACH_BYTES), readSlowly(socket, EACH_BYTES, STALL_MS)]);
        socket.destroy();
      });
    },
    { ceilingMb: CEILING_MB },
  );
});
