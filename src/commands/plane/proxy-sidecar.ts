import type { CommandContext } from "../../cli/command.ts";
import type { Logger } from "../../common/log.ts";
import { UserError } from "../../common/user-error.ts";
import type { RunningProxy } from "../../proxy-runtime/proxy.ts";
export async function startSidecar(_context: CommandContext, _log: Logger, _drainTimeMs: number): Promise<RunningProxy> {
  throw new UserError("sidecar form: being composed");
}
