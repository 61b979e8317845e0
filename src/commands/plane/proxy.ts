// meshctl proxy: the data plane, as a sidecar or with an Envoy bootstrap of one's own.
import type { Command } from "../../cli/command.ts";

export const proxy: Command = {
  name: "proxy",
  summary: "Run the proxy: a workload's sidecar, or one with a bootstrap file of your own",
  description:
    "Runs the proxy. With --bootstrap it takes an Envoy v3 bootstrap (YAML or JSON); otherwise it is a workload's\n" +
    "sidecar, configured by the environment that the injector writes and by the control plane.\n" +
    "SIGTERM drains open requests and exits; a second one exits at once. SIGUSR1 reopens access logs.",
  arguments: [{ name: "[role]", description: "sidecar (the default)" }],
  flags: [
    { flags: "-b, --bootstrap <file>", description: "Envoy v3 bootstrap, YAML or JSON" },
    { flags: "--check", description: "read the bootstrap, report every problem, and exit" },
    { flags: "--domain <domain>", description: "DNS domain of the workload, <namespace>.svc.<cluster domain>" },
    { flags: "--discovery-address <host:port>", description: "the control plane", env: "MESHCTL_DISCOVERY_ADDRESS" },
    { flags: "--dns-upstream <servers>", description: "where names outside the mesh are asked: resolv.conf, none, or addresses", default: "resolv.conf" },
    { flags: "--drain-time <duration>", description: "how long open requests may take to end", default: "5s" },
    { flags: "--log-level <level>", description: "trace, debug, info, warn, error or fatal", default: "info" },
    { flags: "--log-format <format>", description: "format of the log", choices: ["json", "text"], default: "json" },
  ],
  examples: ["meshctl proxy --bootstrap envoy.yaml", "meshctl proxy --bootstrap envoy.yaml --check"],
  load: () => import("./proxy-run.ts").then((module) => module.run),
};
