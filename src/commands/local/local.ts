// meshctl local …: a real mesh on this machine. And, hidden, the processes that it starts of itself.
import type { Command, Flag } from "../../cli/command.ts";
import { durationFlag, localWorkloadFlags, outputFlag, workloadCertTtlFlag } from "../../cli/flags.ts";
import { demo } from "./demo.ts";

function append(text: string, previous: unknown): string[] {
  return [...((previous as string[] | undefined) ?? []), text];
}

const nameFlag: Flag = { flags: "--name <name>", description: "name of the mesh (default: default, or the only one that runs)" };

const up: Command = {
  name: "up",
  summary: "Start a mesh from Kubernetes YAML; without -f, the sample shop",
  flags: [
    { flags: "-f, --file <path>", description: "YAML file, or folder of them; may be repeated", parse: append },
    { flags: "-d, --detach", description: "return when all is ready, and leave it running" },
    {
      flags: "--publish <service:port[:hostport]>",
      description: "make a Service reachable on this machine's loopback; may be repeated",
      parse: append,
    },
    { flags: "--name <name>", description: "name of the mesh, to run several", default: "default" },
    workloadCertTtlFlag(),
    {
      flags: "--timeout <duration>",
      description: "how long the pods may take to be ready",
      default: 60_000,
      defaultText: "1m",
      parse: durationFlag("--timeout", 1000, 3_600_000, "from 1s to 1h"),
    },
  ],
  examples: [
    "meshctl local up                               the shop, until Ctrl-C",
    "meshctl local up -f k8s/ --detach              your own, in the background",
    "meshctl local up --publish frontend:80:8080    then: curl localhost:8080",
  ],
  load: () => import("./up-run.ts").then((module) => module.run),
};

const down: Command = {
  name: "down",
  summary: "Stop a mesh and remove everything it left",
  flags: [nameFlag, { flags: "--all", description: "every mesh of this user" }],
  examples: ["meshctl local down", "meshctl local down --all"],
  load: () => import("./down-run.ts").then((module) => module.run),
};

const status: Command = {
  name: "status",
  summary: "Show the pods of the running meshes",
  flags: [nameFlag, outputFlag("table")],
  examples: ["meshctl local status", "meshctl local status -o json"],
  load: () => import("./status-run.ts").then((module) => module.run),
};

const exec: Command = {
  name: "exec",
  summary: "Run a command in a pod, as its app",
  arguments: [
    { name: "<workload>", description: "[<kind>/]<name>[.<namespace>]" },
    { name: "<command...>", description: "the command, after --" },
  ],
  flags: [{ flags: "-c, --container <name>", description: "container (default: the pod's first app)" }, ...localWorkloadFlags()],
  examples: ["meshctl local exec deploy/frontend -- curl -s http://checkout/", "meshctl local exec checkout -c meshctl-proxy -- sh"],
  load: () => import("./exec-run.ts").then((module) => module.run),
};

const logs: Command = {
  name: "logs",
  summary: "Print what a container wrote",
  arguments: [{ name: "<workload>", description: "[<kind>/]<name>[.<namespace>]; controller for the control plane" }],
  flags: [
    { flags: "-c, --container <name>", description: "container (default: the pod's first app)" },
    { flags: "-f, --follow", description: "go on as it writes more" },
    { flags: "--tail <lines>", description: "only the last lines", parse: parseLines },
    { flags: "-p, --previous", description: "of the run before the last restart" },
    ...localWorkloadFlags(),
  ],
  examples: ["meshctl local logs frontend -f", "meshctl local logs checkout -c meshctl-proxy --tail 20"],
  load: () => import("./logs-run.ts").then((module) => module.run),
};

function parseLines(text: string): number {
  return /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
}

export const local: Command = {
  name: "local",
  summary: "Start, stop and look into a mesh",
  description:
    "Runs a real mesh on this machine, without Kubernetes: pods are network namespaces, capture is iptables, every hop is mutual " +
    "TLS under the control plane's certificates. Nothing of it touches the machine's own network.",
  subcommands: [up, down, status, exec, logs, demo],
};

/** Started by the mesh itself, inside its sandbox or beside it. */
export const localProcesses: readonly Command[] = [
  {
    name: "local-supervisor",
    summary: "run a local mesh inside its sandbox",
    hidden: true,
    arguments: [{ name: "<folder>", description: "run folder" }],
    load: () => import("./processes-run.ts").then((module) => module.runSupervisorProcess),
  },
  {
    name: "local-publisher",
    summary: "serve a local mesh's published ports",
    hidden: true,
    arguments: [{ name: "<mesh>", description: "name" }],
    load: () => import("./processes-run.ts").then((module) => module.runPublisherProcess),
  },
  {
    name: "local-forward",
    summary: "pass published connections on to Services",
    hidden: true,
    arguments: [{ name: "<forwards...>", description: "port=host:port" }],
    load: () => import("./processes-run.ts").then((module) => module.runForwardProcess),
  },
  {
    name: "local-enter",
    summary: "run a command beside a process of the sandbox",
    hidden: true,
    arguments: [
      { name: "<pid>", description: "in the sandbox's numbering" },
      { name: "<command...>", description: "the command" },
    ],
    passThroughOptions: true,
    load: () => import("./processes-run.ts").then((module) => module.runEnterProcess),
  },
];
