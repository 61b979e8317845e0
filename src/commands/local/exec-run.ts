import type { CommandContext } from "../../cli/command.ts";
import { selectPod } from "../../cli/local-mesh.ts";
import { USAGE_EXIT_CODE, UserError } from "../../common/user-error.ts";
import { execInSandbox } from "../../local/pod/container-exec.ts";
import { chooseContainer } from "./container-choice.ts";

export async function run(context: CommandContext): Promise<number> {
  const [workload = "", ...rest] = context.args;
  const command = rest[0] === "--" ? rest.slice(1) : rest;
  const { mesh, pod } = selectPod(context, workload);
  const container = chooseContainer(context, pod);
  if (command.length === 0)
    throw new UserError("no command given", "write it after --, such as: meshctl local exec frontend -- sh", USAGE_EXIT_CODE);
  if (container.pid === undefined) {
    throw new UserError(
      `container ${container.name} of pod ${pod.name}.${pod.namespace} is not running (${container.state})`,
      `see meshctl local logs ${pod.name} -c ${container.name}`,
    );
  }
  return execInSandbox(mesh, container.pid, command, context.env["TERM"]);
}
