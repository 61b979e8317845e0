// `meshctl install`: the installation as YAML. The words of profiles stand here again because manifests/ loads zod.
import type { Command, Flag } from "../../cli/command.ts";

const repeated = (text: string, previous: unknown): readonly string[] => [...((previous as readonly string[] | undefined) ?? []), text];

const flags: readonly Flag[] = [
  { flags: "--profile <name>", description: "what is installed where no value says otherwise", choices: ["default", "ha", "minimal"] },
  {
    flags: "-f, --values <file>",
    description: "YAML file with values, or - for standard input; may be repeated, the later one wins",
    parse: repeated,
  },
  {
    flags: "--set <path=value>",
    description: "one value, such as controller.replicas=2; may be repeated, and wins over files",
    parse: repeated,
  },
  { flags: "--crds", description: "print only the CustomResourceDefinitions" },
  { flags: "--skip-crds", description: "print everything but the CustomResourceDefinitions" },
  { flags: "--offline", description: "ask no cluster which CustomResourceDefinitions it has from another mesh; print all" },
  { flags: "--kubeconfig <file>", description: "kubeconfig of the cluster that is asked (default: $KUBECONFIG, else ~/.kube/config)" },
  { flags: "--context <name>", description: "context in it (default: its current one)" },
];

export const install: Command = {
  name: "install",
  summary: "Print the installation of the control plane as YAML for kubectl",
  description:
    "Prints everything that the control plane needs in a cluster: namespace, CustomResourceDefinitions, permissions, configuration, " +
    "Deployment and Service, in an order that one kubectl apply can create. Nothing is applied. The same values print the same " +
    "bytes; no key or certificate is among them. The cluster is asked one thing, for two seconds at most: which of the " +
    "CustomResourceDefinitions it has from another mesh. Those are left out and named on standard error.",
  flags,
  examples: [
    "meshctl install | kubectl apply -f -       install, or change the installation",
    "meshctl install --profile ha -f values.yaml | kubectl apply -f -",
    "meshctl install --set image=registry.example.com/meshctl:1.0 > mesh.yaml",
    "meshctl install --crds | kubectl apply -f -               where others may not",
    "meshctl install --offline --skip-crds | kubectl diff -f -",
  ],
  load: () => import("./install-run.ts").then((module) => module.run),
};
