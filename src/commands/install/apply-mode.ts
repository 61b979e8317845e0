// --apply and what goes with it.
import type { CommandContext } from "../../cli/command.ts";
import { USAGE_EXIT_CODE, UserError } from "../../common/user-error.ts";

export interface ApplyMode {
  /** How long to wait for the controller; undefined: not at all. */
  readonly waitMs: number | undefined;
  /** Nothing is kept. */
  readonly isDry: boolean;
  /** Takes over fields that others manage. */
  readonly force: boolean;
}

export const DEFAULT_WAIT_MS = 5 * 60_000;
/** @returns undefined where nothing is to be applied. @throws UserError for flags that contradict each other. */
export function applyModeOf({ options }: CommandContext): ApplyMode | undefined {
  const { wait, dryRun } = options;
  const force = options["forceConflicts"] === true;
  if (options["apply"] !== true) {
    for (const [given, flag] of [
      [wait !== undefined, "--wait"],
      [dryRun !== undefined, "--dry-run"],
      [force, "--force-conflicts"],
    ] as const)
      if (given) throw new UserError(`${flag} goes with --apply`, "without it nothing is applied", USAGE_EXIT_CODE);
    return undefined;
  }
  if (dryRun !== undefined && wait !== undefined)
    throw new UserError("--wait and --dry-run contradict each other", "a dry run starts nothing that could be waited for", USAGE_EXIT_CODE);
  return { waitMs: typeof wait === "number" ? wait : wait === true ? DEFAULT_WAIT_MS : undefined, isDry: dryRun !== undefined, force };
}

/** @throws UserError when two of the flags that say what to do are given. */
export function requireOneOf({ options }: CommandContext, flags: readonly (readonly [option: string, flag: string])[]): void {
  const given = flags.filter(([option]) => options[option] === true).map(([, flag]) => flag);
  if (given.length > 1) throw new UserError(`${given.join(" and ")} are two different things to do`, "give one of them", USAGE_EXIT_CODE);
}
