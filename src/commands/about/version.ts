// meshctl version: what runs here, in the control plane and beside the workloads.
import type { Command } from "../../cli/command.ts";
import { meshFlags } from "../../cli/flags.ts";

export const version: Command = {
  name: "version",
  summary: "Print the versions of meshctl, of the control plane and of the sidecars",
  description:
    "Prints the version of this meshctl, of each replica of the control plane, and of the sidecars that are connected to it. " +
    "Where the mesh can't be asked, the versions are unavailable, and why is told on standard error; the exit code is 0.",
  flags: [
    { flags: "--client", description: "only this meshctl's version; ask nobody" },
    { flags: "-s, --short", description: "only the version numbers, one to a line" },
    { flags: "-o, --output <format>", description: "print as json or yaml", choices: ["json", "yaml"] },
    ...meshFlags(),
  ],
  examples: ["meshctl version", "meshctl version --client --short", "meshctl version -o json"],
  load: () => import("./version-run.ts").then((module) => module.run),
};
