// Runs one proxy until a signal or /quitquitquit ends it.
import { availableParallelism } from "node:os";
import type { CommandContext } from "../../cli/command.ts";
import { systemClock } from "../../common/clock.ts";
import { createLog, type LogFormat, type Logger, type LogLevel } from "../../common/log.ts";
import { USAGE_EXIT_CODE, UserError } from "../../common/user-error.ts";
import { loadBootstrap } from "../../proxy-runtime/config/bootstrap.ts";
import type { BootstrapConfig } from "../../proxy-runtime/config/bootstrap-config.ts";
import { startProxy, type ProxyOptions, type RunningProxy } from "../../proxy-runtime/proxy.ts";
import { UNKNOWN_WORKLOAD } from "../../proxy-runtime/telemetry/workload-facts.ts";
import { logLevelsOf } from "./proxy-log-levels.ts";

export async function run(context: CommandContext): Promise<number> {
  const { options, args } = context;
  const role = args[0] ?? "sidecar";
  if (role === "wait" || role === "drain") {
    const { drainSidecar, waitForSidecar } = await import("./running-sidecar.ts");
    await (role === "wait" ? waitForSidecar() : drainSidecar());
    return 0;
  }
  if (role !== "sidecar") {
    throw new UserError(
      `unknown role ${JSON.stringify(role)}`,
      "the roles are sidecar, wait and drain; for a proxy of your own use --bootstrap FILE",
      USAGE_EXIT_CODE,
    );
  }
  const log = makeLog(context);
  const file = options["bootstrap"] as string | undefined;
  if (file === undefined) {
    if (options["check"] === true)
      throw new UserError("--check needs --bootstrap", "give the file to check: --bootstrap FILE --check", USAGE_EXIT_CODE);
    const { startSidecar } = await import("./proxy-sidecar.ts");
    return serve(() => startSidecar(context, log, { drainTimeMs: drainTimeMs(context), concurrency: workerCount(context) }));
  }
  refuseSidecarFlags(context);
  const bootstrap = await loadBootstrap(file);
  for (const warning of bootstrap.warnings) log.warn({ field: warning.path }, warning.message);
  if (options["check"] === true) {
    context.stdout.write(`${file}: ok\n`);
    return 0;
  }
  return serve(() => startProxy(toOptions(context, log, bootstrap, file)));
}

function toOptions(context: CommandContext, log: Logger, bootstrap: BootstrapConfig, file: string): ProxyOptions {
  return {
    bootstrap,
    workload: UNKNOWN_WORKLOAD,
    clock: systemClock,
    log,
    logLevels: logLevelsOf(log),
    commandLine: {
      config_path: file,
      log_level: log.level,
      concurrency: workerCount(context),
      drain_time: `${drainTimeMs(context) / 1000}s`,
    },
    concurrency: workerCount(context),
    drainTimeMs: drainTimeMs(context),
    sidecar: undefined,
  };
}

async function serve(start: () => Promise<RunningProxy>): Promise<number> {
  let stopping = false;
  let running: RunningProxy | undefined = undefined;
  const onSignal = (): void => {
    // The second signal, or one during the start, doesn't wait.
    if (stopping || running === undefined) process.exit(stopping ? 0 : 1);
    stopping = true;
    void running.stop();
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
  process.on("SIGUSR1", () => running?.reopenLogs());
  running = await start();
  await running.ended;
  // What is left are sockets and timers of no consequence.
  process.exit(0);
}

/** A bootstrap says all of this itself. */
function refuseSidecarFlags({ args, options }: CommandContext): void {
  const given: readonly (readonly [string, unknown])[] = [
    [`the role ${args[0]}`, args[0]],
    ["--domain", options["domain"]],
    ["--discovery-address", options["discoveryAddress"]],
    ["--dns-upstream", options["dnsUpstream"]],
    ["--outlive-app", options["outliveApp"]],
  ];
  const found = given.find(([, value]) => value !== undefined);
  if (found === undefined) return;
  throw new UserError(
    `${found[0]} means nothing with --bootstrap`,
    "leave one of them out: a bootstrap file says what a sidecar is told by flags",
    USAGE_EXIT_CODE,
  );
}

function makeLog({ options, stderr }: CommandContext): Logger {
  return createLog({ level: options["logLevel"] as LogLevel, format: options["logFormat"] as LogFormat, stream: stderr });
}

/** @throws UserError for several workers where the system can't share a port among them. */
function workerCount({ options }: CommandContext): number {
  const asked = options["concurrency"] as number;
  const count = asked === 0 ? availableParallelism() : asked;
  // SO_REUSEPORT spreads connections on Linux only; on macOS Node refuses it.
  if (count === 1 || process.platform === "linux") return count;
  throw new UserError(
    `--concurrency ${asked}: only Linux shares a port among several workers`,
    "leave it out, or give --concurrency 1",
    USAGE_EXIT_CODE,
  );
}

function drainTimeMs({ options }: CommandContext): number {
  return options["drainTime"] as number;
}
