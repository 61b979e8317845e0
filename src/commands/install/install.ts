// `meshctl install`: the installation as YAML, or applied.
import type { Command, Flag } from "../../cli/command.ts";
import { clusterFlags } from "../../cli/flags.ts";
import { applyFlags, valueFlags } from "./installation-flags.ts";

const flags: readonly Flag[] = [
  ...valueFlags(),
  { flags: "--crds", description: "only the CustomResourceDefinitions" },
  { flags: "--skip-crds", description: "everything but the CustomResourceDefinitions" },
  { flags: "--offline", description: "ask no cluster which CustomResourceDefinitions it has from another mesh; print all" },
  ...applyFlags(),
  ...clusterFlags(),
];

export const install: Command = {
  name: "install",
  summary: "Print the control plane's installation for kubectl, or apply it",
  description:
    "Prints everything that the control plane needs in a cluster: namespace, CustomResourceDefinitions, permissions, configuration, " +
    "Deployment, Services and webhooks, in an order that one kubectl apply can create. The same values print the same bytes; no " +
    "key or certificate is among them. The cluster is asked, for two seconds at most, which of the CustomResourceDefinitions it " +
    "has from another mesh: those are left out and named on standard error. Nothing is applied, but with --apply; then the API " +
    "server checks everything before anything is changed, and on an error you are told what was applied: running the same " +
    "command again goes on.",
  flags,
  examples: [
    "meshctl install | kubectl apply -f -       install, or change the installation",
    "meshctl install --profile ha -f values.yaml | kubectl apply -f -",
    "meshctl install --set image=registry.example.com/meshctl:1.0 > mesh.yaml",
    "meshctl install --crds | kubectl apply -f -               where others may not",
    "meshctl install --offline --skip-crds | kubectl diff -f -",
    "meshctl install --apply --wait             until the controller is ready",
    "meshctl install --apply --dry-run=server   see what that would change",
  ],
  load: () => import("./install-run.ts").then((module) => module.run),
};
