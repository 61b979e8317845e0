// meshctl version: what runs here.
import type { Command } from "../../cli/command.ts";

export const version: Command = {
  name: "version",
  summary: "Print the versions of meshctl and of its Node",
  flags: [{ flags: "-o, --output <format>", description: "print as json or yaml", choices: ["json", "yaml"] }],
  examples: ["meshctl version", "meshctl version -o json"],
  load: () => import("./version-run.ts").then((module) => module.run),
};
