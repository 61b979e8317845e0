// meshctl proxy: the data plane, as a sidecar or with an Envoy bootstrap of one's own.
import type { Command } from "../../cli/command.ts";
import { durationFlag, logFlags } from "../../cli/flags.ts";
import { USAGE_EXIT_CODE, UserError } from "../../common/user-error.ts";
import { Env, MAX_CONCURRENCY } from "../../xds/names.ts";

function parseConcurrency(text: string): number {
  const count = /^\d{1,3}$/.test(text) ? Number(text) : MAX_CONCURRENCY + 1;
  if (count <= MAX_CONCURRENCY) return count;
  throw new UserError(
    `--concurrency wants a number from 0 to ${MAX_CONCURRENCY}, not ${JSON.stringify(text)}`,
    "0 is one for each CPU",
    USAGE_EXIT_CODE,
  );
}

export const proxy: Command = {
  name: "proxy",
  summary: "Run a sidecar, or a proxy with a bootstrap file",
  description:
    "Runs the proxy. With --bootstrap it takes an Envoy v3 bootstrap; otherwise it is a workload's sidecar, configured by the " +
    "environment that the injector writes and by the control plane.\n\n" +
    "SIGTERM drains open requests and exits; a second one exits at once. SIGUSR1 reopens access logs.\n\n" +
    "Beside a running sidecar, in its container: the role wait returns when the sidecar is ready, the role drain has it ask its " +
    "clients to go elsewhere.",
  arguments: [{ name: "[role]", description: "sidecar (the default), wait or drain" }],
  flags: [
    { flags: "-b, --bootstrap <file>", description: "Envoy v3 bootstrap, YAML or JSON" },
    { flags: "--check", description: "with --bootstrap: report every problem of the file, and exit" },
    { flags: "--domain <domain>", description: "of a sidecar: <namespace>.svc.<cluster domain>" },
    {
      flags: "--discovery-address <host:port>",
      description: `of a sidecar: the control plane (default: $${Env.discoveryAddress})`,
    },
    {
      flags: "--dns-upstream <servers>",
      description: "of a sidecar: who is asked for names outside the mesh: resolv.conf, none, or addresses (default: resolv.conf)",
    },
    {
      flags: "--outlive-app",
      description: "of a sidecar: after SIGTERM, stay as long as another program of the pod listens or is connected",
    },
    {
      flags: "--concurrency <n>",
      description: "threads that carry traffic and share the ports; 0: one for each CPU",
      default: 1,
      parse: parseConcurrency,
    },
    {
      flags: "--drain-time <duration>",
      description: "how long open requests may take to end",
      default: 5000,
      defaultText: "5s",
      parse: durationFlag("--drain-time", 0, 86_400_000, "up to 24h"),
    },
    ...logFlags(),
  ],
  examples: [
    "meshctl proxy --bootstrap envoy.yaml",
    "meshctl proxy --bootstrap envoy.yaml --check",
    "meshctl proxy --bootstrap envoy.yaml --concurrency 4",
  ],
  load: () => import("./proxy-run.ts").then((module) => module.run),
};
