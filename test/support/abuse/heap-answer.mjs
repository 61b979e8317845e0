// Loaded into the watched proxy in front of its program: SIGUSR2 makes V8 collect all garbage and write what is left, in
// bytes, to a file. What a heap holds before that says little: V8 lets garbage lie as long as there is room.
import { writeFileSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

const file = process.env.MESHCTL_TEST_HEAP_FILE;
setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc");
let count = 0;

process.on("SIGUSR2", () => {
  // Finalizers of the first turn let go of more.
  collect();
  setTimeout(() => {
    collect();
    const { heapUsed, external } = process.memoryUsage();
    count += 1;
    writeFileSync(file, JSON.stringify({ count, heapUsed, external }));
  }, 50);
});
