// meshctl local demo: the shop in a mesh of its own, real requests, and what the mesh saw. `npm run demo` runs it.
import type { Command } from "../../cli/command.ts";

export const demo: Command = {
  name: "demo",
  summary: "Run the sample shop, and show what its mesh sees",
  description:
    "Starts a local mesh on the sample shop, sends it real requests and shows who called whom, how many requests, success rate, " +
    "latency, the version split, and whether the calls were mutual TLS, under which identities. On a terminal the mesh stays until " +
    "Ctrl-C, which removes all of it. With --once, or without a terminal, it is removed at once, and the exit code is 0 only " +
    "if all traffic was as expected.",
  flags: [
    { flags: "--once", description: "remove everything after the report" },
    { flags: "--name <mesh>", description: "name of the mesh", default: "demo" },
  ],
  examples: ["meshctl local demo", "meshctl local demo --once"],
  load: () => import("./demo-run.ts").then((module) => module.run),
};
