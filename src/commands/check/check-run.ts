// Gathers, checks, waits for what may pass, reports.
import type { CommandContext } from "../../cli/command.ts";
import { writeStructured } from "../../cli/output.ts";
import { isLive, startProgress } from "../../cli/progress.ts";
import { styleFor } from "../../cli/style.ts";
import { sleep, systemClock } from "../../common/clock.ts";
import { awaited, isSuccess, type CategoryResult } from "./check-list.ts";
import { readCheckOptions, type CheckOptions } from "./check-options.ts";
import type { Look } from "./look-at-cluster.ts";
import { formatReport, onlyProblems, toJson } from "./report.ts";

/** Pods take seconds to change; a control plane that starts needs ten or so. */
const LOOK_AGAIN_MS = 2000;

export async function run(context: CommandContext): Promise<number> {
  const options = readCheckOptions(context);
  const results = await untilSettled(context, options);
  const format = context.options["output"];
  if (!writeStructured(context, toJson(results))) {
    const shown = format === "short" ? onlyProblems(results) : results;
    context.stdout.write(formatReport(shown, styleFor(context.stdout, context.env)));
  }
  return isSuccess(results) ? 0 : 1;
}

async function untilSettled(context: CommandContext, options: CheckOptions): Promise<CategoryResult[]> {
  const look = await lookAt(context, options);
  const deadlineMs = systemClock.now() + options.waitMs;
  // Elsewhere than on a terminal only the waiting is worth a line.
  const progress = await startProgress(context.stderr, isLive(context.stderr) ? "checking" : "");
  try {
    for (;;) {
      const results = await look.once();
      const hope = awaited(results);
      const leftMs = deadlineMs - systemClock.now();
      if (hope === undefined || leftMs <= 0) return results;
      progress.update(`waiting: ${hope.split("\n")[0]}`);
      await sleep(systemClock, Math.min(LOOK_AGAIN_MS, leftMs));
    }
  } finally {
    progress.stop();
    look.end();
  }
}

async function lookAt(context: CommandContext, options: CheckOptions): Promise<Look> {
  if (options.isLocal) {
    const { lookAtLocal } = await import("./local/look-at-local.ts");
    return { once: () => lookAtLocal(context, options.namespace), end: () => undefined };
  }
  const { lookAtCluster } = await import("./look-at-cluster.ts");
  return lookAtCluster(options, context.env);
}
