// One worker thread of a proxy with --concurrency: the data half, and the line to the main thread. Started by workers/ with
// WorkerData; everything else runs in the main thread.
import { fstatSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { EMPTY_PROXY_CONFIG } from "./config/proxy-config.ts";
import { DataPlane, dataHalfOf, toListenFailure } from "./data-plane.ts";
import { collectWhenIdle } from "./idle-collection.ts";
import { writeWhole } from "./telemetry/access-log/write-whole.ts";
import { StatsStore } from "./telemetry/stats-store.ts";
import { changedConfig } from "./workers/config-change.ts";
import type { WorkerData } from "./workers/worker-calls.ts";
import { WorkerPort } from "./workers/worker-port.ts";

const { page, workload, worker } = workerData as WorkerData;
const port = new WorkerPort(parentPort!);
const stats = new StatsStore(page, (series) => port.tellSeries(series));
const plane = new DataPlane({
  worker,
  stats,
  workload,
  // Appending to a file is atomic; a full pipe takes a part of one thread's block, then of another's.
  writeStandard: (fd, block, done) => (fstatSync(fd).isFile() ? writeWhole(fd, block, done) : port.write(fd, block, done)),
  onLog: (level, message, fields) => port.log(level, message, fields),
});
let config = EMPTY_PROXY_CONFIG;
collectWhenIdle();

port.serve({
  ...dataHalfOf(plane),
  async apply(change, ports) {
    config = changedConfig(config, change);
    const failures = await plane.apply(config, ports);
    return { failures: failures.map(toListenFailure), ports: plane.chosenPorts() };
  },
  settle: async () => undefined,
  resetCounters: () => stats.resetCounters(),
});
