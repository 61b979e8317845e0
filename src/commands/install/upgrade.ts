// `meshctl upgrade`: this version's installation, with the values that the cluster keeps.
import type { Command, Flag } from "../../cli/command.ts";
import { clusterFlags } from "../../cli/flags.ts";
import { applyFlags, valueFlags } from "./installation-flags.ts";

const flags: readonly Flag[] = [
  ...valueFlags(),
  { flags: "--skip-crds", description: "everything but the CustomResourceDefinitions" },
  { flags: "--diff", description: "print what would change in the cluster, as a unified diff of each object" },
  { flags: "--prune", description: "print what the cluster has and this version hasn't, for kubectl delete" },
  ...applyFlags(),
  ...clusterFlags(),
];

export const upgrade: Command = {
  name: "upgrade",
  summary: "Print or apply this version with the values that the cluster keeps",
  description:
    "Prints what meshctl install prints, with the values that the cluster's installation was given; -f, --set and --profile stand " +
    "over them. Refuses to go back to an older version, and to touch a mesh whose trust chain is broken: a CA certificate that " +
    "has expired or doesn't match its key, or a root that workloads don't trust. --diff shows what would change, --prune what is " +
    "left over afterwards; both change nothing.",
  flags,
  examples: [
    "meshctl upgrade --diff                      see what will change",
    "meshctl upgrade | kubectl apply -f -",
    "meshctl upgrade --apply --wait",
    "meshctl upgrade --prune | kubectl delete -f -               afterwards",
    "meshctl upgrade --set controller.replicas=3 --apply",
  ],
  load: () => import("./upgrade-run.ts").then((module) => module.run),
};
