// `meshctl uninstall`: what kubectl should delete.
import type { Command, Flag } from "../../cli/command.ts";
import { clusterFlags } from "../../cli/flags.ts";

const flags: readonly Flag[] = [
  { flags: "--crds", description: "also the CustomResourceDefinitions, and with them every object of the mesh API" },
  { flags: "--force", description: "also while pods with sidecars remain" },
  ...clusterFlags(),
];

export const uninstall: Command = {
  name: "uninstall",
  summary: "Print what kubectl should delete to remove the mesh from a cluster",
  description:
    "Prints every object of the installation that the cluster has, those that the controller made too, for kubectl delete; nothing " +
    "is deleted by itself. They are found by their label, and come in an order that can't block: webhooks first. Refuses while " +
    "pods with sidecars remain, and names them. CustomResourceDefinitions stay, and with them the objects of the mesh API, unless " +
    "--crds asks for them; how many objects go with them is said on standard error.",
  flags,
  examples: [
    "meshctl uninstall                             see what would go",
    "meshctl uninstall | kubectl delete -f -",
    "meshctl uninstall --crds | kubectl delete -f -",
  ],
  load: () => import("./uninstall-run.ts").then((module) => module.run),
};
