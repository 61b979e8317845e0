// The proxy's worker, which a test can make throw or hang from the main thread.
import { BroadcastChannel, workerData } from "node:worker_threads";
import type { WorkerData } from "../../src/proxy-runtime/workers/worker-calls.ts";

export interface Blow {
  readonly worker: number;
  readonly kind: "throw" | "hang";
}

const CHANNEL = "mortal-worker";

/** Strikes one worker of this process; resolves when the worker feels it. Call it from the main thread. */
export async function strike(blow: Blow): Promise<void> {
  const channel = new BroadcastChannel(CHANNEL);
  const felt = new Promise<void>((resolve) => (channel.onmessage = () => resolve()));
  channel.postMessage(blow);
  await felt;
  channel.close();
}

const data = workerData as WorkerData | null;
if (data !== null) {
  const channel = new BroadcastChannel(CHANNEL);
  channel.onmessage = (message: unknown) => {
    const { worker, kind } = (message as { readonly data: Partial<Blow> }).data;
    if (worker !== data.worker.index) return;
    channel.postMessage({});
    if (kind === "hang") Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    setImmediate(() => {
      throw new Error("struck by the test");
    });
  };
  await import("../../src/proxy-runtime/worker.ts");
}
