// What the flags of `meshctl check` mean together.
import type { CommandContext } from "../../cli/command.ts";
import { USAGE_EXIT_CODE, UserError } from "../../common/user-error.ts";
import { currentContext } from "../../kube/kubeconfig-files.ts";
import { listMeshes } from "../../local/run-folder.ts";

export interface CheckOptions {
  /** The local mesh instead of a cluster. */
  readonly isLocal: boolean;
  readonly stage: "pre" | "default" | "proxy";
  /** Whose sidecars; undefined: all. */
  readonly namespace: string | undefined;
  readonly waitMs: number;
  readonly kubeconfig: string | undefined;
  readonly context: string | undefined;
  readonly as: string | undefined;
}

/** @throws UserError for flags that mean nothing together. */
export function readCheckOptions({ options, env }: CommandContext): CheckOptions {
  const text = (name: string): string | undefined => options[name] as string | undefined;
  const [isPre, isProxy] = [options["pre"] === true, options["proxy"] === true];
  if (isPre && isProxy)
    throw new UserError("--pre is for before an installation, --proxy for after it", "give one of them, or neither", USAGE_EXIT_CODE);
  if (text("namespace") !== undefined && !isProxy)
    throw new UserError(
      "--namespace says whose sidecars are checked",
      "add --proxy; the control plane is found by itself",
      USAGE_EXIT_CODE,
    );
  const cluster = ["kubeconfig", "context", "as"].find((each) => text(each) !== undefined);
  const local = options["local"] === true ? "--local" : text("name") !== undefined ? "--mesh" : undefined;
  if (local !== undefined && !isProxy)
    throw new UserError(
      `${local} checks the sidecars of the local mesh`,
      "add --proxy; a local mesh has nothing to install",
      USAGE_EXIT_CODE,
    );
  if (local !== undefined && cluster !== undefined)
    throw new UserError(`${local} and --${cluster} can't be given together`, "check either the local mesh or a cluster", USAGE_EXIT_CODE);
  return {
    isLocal: local !== undefined || (isProxy && cluster === undefined && isLocalMeant(env)),
    stage: isPre ? "pre" : isProxy ? "proxy" : "default",
    namespace: text("namespace"),
    waitMs: options["wait"] as number,
    kubeconfig: text("kubeconfig"),
    context: text("context"),
    as: text("as"),
  };
}

/** As every inspecting command: a cluster that kubectl would take comes first. */
function isLocalMeant(env: CommandContext["env"]): boolean {
  return currentContext(env) === undefined && listMeshes(env).some((mesh) => mesh.phase !== "dead");
}
