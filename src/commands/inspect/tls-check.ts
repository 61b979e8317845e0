// meshctl tls-check: do this workload and the services that it may call agree about TLS, and under which identities?
import type { Command } from "../../cli/command.ts";
import { adminPortFlag, meshNamespaceFlag, outputFlag, workloadFlags } from "../../cli/flags.ts";

export const tlsCheck: Command = {
  name: "tls-check",
  summary: "Show which calls are mutual TLS, and who decides",
  description:
    "Shows, per service and port, what the server demands (STRICT, PERMISSIVE, DISABLE), what this client does, and the result: " +
    "OK is mutual TLS, PLAINTEXT works unencrypted, CONFLICT fails. Then the identities that the servers must prove, and this " +
    "workload's own certificates with the days they have left. Exits with 1 on a CONFLICT or an expired certificate.",
  arguments: [
    { name: "<workload>", description: "the client: [<kind>/]<name>[.<namespace>], such as deploy/frontend.shop" },
    { name: "[service]", description: "only this service: payments, payments.shop or its full name, with or without :port" },
  ],
  flags: [outputFlag("table"), adminPortFlag(), ...workloadFlags(), meshNamespaceFlag()],
  examples: ["meshctl tls-check frontend", "meshctl tls-check deploy/frontend.shop checkout:80", "meshctl tls-check frontend -o json"],
  load: () => import("./tls-check-run.ts").then((module) => module.run),
};

/** istioctl's place for it until 1.5: people still type it. */
export const authn: Command = {
  name: "authn",
  summary: "Authentication (see tls-check)",
  hidden: true,
  subcommands: [tlsCheck],
};
