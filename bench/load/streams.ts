// Streams of 64 KB writes over a few connections, one way, as fast as they are taken. The far end must be a stream-sink.
import { join } from "node:path";
import { assertSome, MEGABYTES, runPinned } from "./load.ts";
import type { Load } from "./load.ts";

export const streams: Load = {
  name: "",
  unit: MEGABYTES,
  async run(port, connections, seconds, signal) {
    const program = join(import.meta.dirname, "stream-source.ts");
    const output = await runPinned([process.execPath, program, String(port), String(connections), String(seconds)], signal);
    const result = JSON.parse(output) as { bytes: number; seconds: number };
    assertSome(result.bytes);
    const amount = result.bytes / 1e6;
    return { amount, perSecond: amount / result.seconds, latency: undefined };
  },
};
