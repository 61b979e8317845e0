// meshctl proxy-config: what configuration a sidecar has, in istioctl's words and columns.
import type { Command, Flag } from "../../cli/command.ts";
import { adminPortFlag, outputFlag, portFlag, wordFlag, workloadFlags } from "../../cli/flags.ts";

const WORKLOAD = [{ name: "[workload]", description: "[<kind>/]<name>[.<namespace>], such as deploy/checkout.shop" }];

function commonFlags(fallback: "short" | "json" = "short", mesh: "--name" | "--mesh" = "--name"): Flag[] {
  return [
    outputFlag("short", fallback),
    { flags: "-f, --file <file>", description: "read an Envoy config dump from a file (or -) instead of asking a sidecar" },
    adminPortFlag(),
    ...workloadFlags(mesh),
  ];
}

const ADDRESS: Flag = { flags: "--address <ip>", description: "only this IP address" };
const PORT: Flag = { flags: "--port <port>", description: "only this port", parse: portFlag("--port") };
const VERBOSE: Flag = {
  flags: "--verbose [boolean]",
  description: "show every match; false gives one line for each",
  default: true,
  suggestions: ["true", "false"],
  parse: parseBoolean,
};

const DIRECTIONS = ["inbound", "outbound"];
const TYPES = ["HTTP", "TCP", "HTTP+TCP", "UNKNOWN"];
/** envoy.config.core.v3.HealthStatus. */
const HEALTH = ["HEALTHY", "UNHEALTHY", "DRAINING", "TIMEOUT", "DEGRADED", "UNKNOWN"];

function parseBoolean(text: string): boolean {
  return wordFlag("--verbose", ["true", "false"])(text) === "true";
}

const cluster: Command = {
  name: "cluster",
  aliases: ["clusters", "c"],
  summary: "Services and other upstreams that it knows",
  arguments: WORKLOAD,
  flags: [
    { flags: "--fqdn <name>", description: "only clusters whose name contains this" },
    {
      flags: "--direction <direction>",
      description: "only inbound or outbound",
      suggestions: DIRECTIONS,
      parse: wordFlag("--direction", DIRECTIONS),
    },
    { flags: "--subset <subset>", description: "only this subset" },
    PORT,
    ...commonFlags(),
  ],
  examples: [
    "meshctl proxy-config cluster checkout",
    "meshctl pc c deploy/checkout.shop --fqdn payments --direction outbound",
    "meshctl pc clusters -f config_dump.json -o json",
  ],
  load: () => import("./proxy-config-run.ts").then((module) => module.runCluster),
};

const endpoint: Command = {
  name: "endpoint",
  aliases: ["endpoints", "ep"],
  summary: "Addresses behind the clusters, and their health",
  arguments: WORKLOAD,
  flags: [
    ADDRESS,
    PORT,
    { flags: "--cluster <name>", description: "only this cluster" },
    {
      flags: "--status <status>",
      description: "only this status: healthy, unhealthy, draining, …",
      suggestions: HEALTH,
      parse: wordFlag("--status", HEALTH),
    },
    ...commonFlags(),
  ],
  examples: [
    "meshctl proxy-config endpoint checkout",
    "meshctl pc ep checkout --cluster PassthroughCluster",
    "meshctl pc ep checkout --status unhealthy",
  ],
  load: () => import("./proxy-config-run.ts").then((module) => module.runEndpoint),
};

const listener: Command = {
  name: "listener",
  aliases: ["listeners", "l"],
  summary: "Where it takes connections, and where these lead",
  arguments: WORKLOAD,
  flags: [
    ADDRESS,
    PORT,
    {
      flags: "--type <type>",
      description: "only HTTP, TCP, HTTP+TCP or UNKNOWN",
      suggestions: TYPES,
      parse: wordFlag("--type", TYPES),
    },
    VERBOSE,
    ...commonFlags(),
  ],
  examples: ["meshctl proxy-config listener frontend", "meshctl pc l frontend --port 15006", "meshctl pc l frontend --verbose=false"],
  load: () => import("./proxy-config-run.ts").then((module) => module.runListener),
};

const route: Command = {
  name: "route",
  aliases: ["routes", "r"],
  summary: "HTTP routes: hosts, matches and the VirtualService that made them",
  arguments: WORKLOAD,
  flags: [
    { flags: "--name <route>", description: "only this route configuration, such as 8080" },
    VERBOSE,
    ...commonFlags("short", "--mesh"),
  ],
  examples: ["meshctl proxy-config route checkout", "meshctl pc r checkout --name 80 -o yaml"],
  load: () => import("./proxy-config-run.ts").then((module) => module.runRoute),
};

const secret: Command = {
  name: "secret",
  aliases: ["secrets", "s"],
  summary: "Its certificates and roots (never keys)",
  arguments: WORKLOAD,
  flags: commonFlags(),
  examples: ["meshctl proxy-config secret payments-v1"],
  load: () => import("./proxy-config-run.ts").then((module) => module.runSecret),
};

const bootstrap: Command = {
  name: "bootstrap",
  aliases: ["b"],
  summary: "What it started with",
  arguments: WORKLOAD,
  flags: commonFlags("json"),
  examples: ["meshctl proxy-config bootstrap frontend", "meshctl pc b frontend -o short"],
  load: () => import("./proxy-config-run.ts").then((module) => module.runBootstrap),
};

export const proxyConfig: Command = {
  name: "proxy-config",
  aliases: ["pc"],
  summary: "Show the configuration of a sidecar",
  description: "Shows the configuration that a sidecar runs with now, from its admin port or from a file with an Envoy config dump.",
  subcommands: [cluster, endpoint, listener, route, secret, bootstrap],
};
