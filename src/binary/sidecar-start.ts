// What bin/meshctl gives a sidecar, for the single executable. Flags of V8 and settings of malloc and OpenSSL count only
// at a process's start, so the process replaces itself once, with the same pid and no parent left over.
import { join } from "node:path";

/** Set for the second start. */
const STARTED = "MESHCTL_SIDECAR_STARTED";

const NODE_OPTIONS = [
  "--max-semi-space-size=2",
  "--single-threaded-gc",
  "--expose-gc",
  "--no-flush-bytecode",
  "--invocation-count-for-maglev=100",
  "--invocation-count-for-turbofan=1000",
  "--minimum-invocations-after-ic-update=100",
];

/** Returns in a process that has a sidecar's settings; any other goes on as the program's next start. */
export function restartAsSidecar(args: readonly string[], folder: string): void {
  const { env } = process;
  const isStarted = env[STARTED] !== undefined;
  delete env[STARTED];
  if (isStarted) return;
  // Until the restart, warnings have had no turn of the loop to be printed in: execve is experimental in Node 26.
  process.execve!(process.execPath, [process.argv0, `--node-options=${NODE_OPTIONS.join(" ")}`, ...args], {
    ...(env as Record<string, string>),
    MALLOC_ARENA_MAX: env["MALLOC_ARENA_MAX"] || `${arenas(args)}`,
    MALLOC_MMAP_THRESHOLD_: env["MALLOC_MMAP_THRESHOLD_"] || "16384",
    OPENSSL_CONF: env["OPENSSL_CONF"] || join(folder, "bin/openssl.cnf"),
    [STARTED]: "1",
  });
}

/** Several workers that allocate from one arena wait for each other. */
function arenas(args: readonly string[]): number {
  const index = args.findLastIndex((each) => each.startsWith("--concurrency"));
  if (index === -1) return 1;
  return args[index] === "--concurrency=1" || (args[index] === "--concurrency" && args[index + 1] === "1") ? 1 : 4;
}
