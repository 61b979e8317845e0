// -c: which container of a pod a command means.
import type { CommandContext } from "../../cli/command.ts";
import { UserError } from "../../common/user-error.ts";
import type { ContainerInfo, PodInfo } from "../../local/run-folder.ts";

/** The named container, or the pod's first app. @throws UserError that lists the containers. */
export function chooseContainer(context: CommandContext, pod: PodInfo): ContainerInfo {
  const name = context.options["container"];
  const found =
    pod.containers.find((each) => (name === undefined ? each.kind === "app" : each.name === name)) ??
    (name === undefined ? pod.containers[0] : undefined);
  if (found !== undefined) return found;
  const names = pod.containers.map((each) => each.name).join(", ");
  const what = typeof name === "string" ? `no container ${name}` : "no container yet";
  throw new UserError(`pod ${pod.name}.${pod.namespace} has ${what}`, names === "" ? "it is being started" : `it has ${names}`);
}
