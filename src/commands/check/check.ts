// meshctl check: is the cluster ready for the mesh, is the mesh whole, are its sidecars?
import type { Command } from "../../cli/command.ts";
import { clusterFlags, durationFlag } from "../../cli/flags.ts";

export const check: Command = {
  name: "check",
  summary: "Check the cluster, the control plane and the sidecars for problems",
  description:
    "Looks at a cluster and says what is wrong, why, and which command mends it. Without a flag: the control plane, after an " +
    "installation. Nothing is changed. Exits with 1 when a check fails; warnings (‼) alone are a success. What may pass by itself, " +
    "such as a pod that is starting, is waited for. A check that needs what you may not read says which permission is missing.",
  flags: [
    { flags: "--pre", description: "check whether the mesh can be installed, before it is" },
    { flags: "--proxy", description: "check the sidecars too, and the pods that should have one" },
    { flags: "-n, --namespace <namespace>", description: "with --proxy, only the pods of this namespace (default: all)" },
    { flags: "-o, --output <format>", description: "output format", choices: ["table", "json", "short"], default: "table" },
    {
      flags: "--wait <duration>",
      description: "how long to wait for what may pass by itself; 0s: not at all",
      default: 300_000,
      defaultText: "5m",
      parse: durationFlag("--wait", 0, 3_600_000, "from 0s to 1h"),
    },
    ...clusterFlags(),
    { flags: "--local", description: "with --proxy, check the local mesh instead of a cluster" },
    { flags: "--mesh, --name <mesh>", description: "name of the local mesh, where several run" },
  ],
  examples: [
    "meshctl check --pre                  before meshctl install",
    "meshctl check                        after it",
    "meshctl check --proxy -n shop        the sidecars of a namespace",
    "meshctl check -o json --wait 0s      for a script, without waiting",
    "meshctl check --proxy --local        the local mesh",
  ],
  load: () => import("./check-run.ts").then((module) => module.run),
};
