// meshctl stats: the golden signals of one workload, or all of its sidecar's statistics.
import type { Command } from "../../cli/command.ts";
import { adminPortFlag, durationFlag, outputFlag, workloadFlags } from "../../cli/flags.ts";

export const stats: Command = {
  name: "stats",
  summary: "Show success rate, request rate and latency",
  description:
    "Shows golden signals as the workload's sidecar counts them: of the requests that it receives (inbound), and of those that " +
    "it sends, per service (outbound/<service>). Two samples are taken, a short window apart, and what happened between them " +
    "is shown; - means no traffic in that time. SUCCESS counts 5xx, failed gRPC calls and missing answers as failures, as Linkerd and Istio's " +
    "dashboards do: a 4xx is an answer, also where a sidecar refused with 403. " +
    "MESHED is how many of a service's pods have a sidecar; TCP_CONN is how many connections are open now. Of a workload's " +
    "pods the first that is ready is asked; name a pod to ask another.",
  arguments: [{ name: "<workload>", description: "[<kind>/]<name>[.<namespace>], such as deploy/checkout.shop" }],
  flags: [
    {
      flags: "-w, --window <duration>",
      description: "how long to watch (default: 5s)",
      parse: durationFlag("--window", 100, 3_600_000, "from 100ms to 1h"),
    },
    { flags: "--since-start", description: "show the totals since the sidecar started, without waiting" },
    { flags: "--raw", description: "print the sidecar's own statistics, as Envoy's /stats does" },
    { flags: "--filter <regex>", description: "with --raw: only statistics whose name has a match" },
    outputFlag("table"),
    adminPortFlag(),
    ...workloadFlags(),
  ],
  examples: [
    "meshctl stats checkout",
    "meshctl stats deploy/checkout.shop --window 30s -o json",
    "meshctl stats checkout --raw --filter 'upstream_rq_(total|timeout)'",
  ],
  load: () => import("./stats-run.ts").then((module) => module.run),
};
