// `meshctl inject` and `meshctl uninject`: manifests in, manifests out. What runs is loaded when it runs.
import type { Command, Flag } from "../../cli/command.ts";
import { repeated } from "../../cli/flags.ts";
import { DEFAULT_CLUSTER_DOMAIN, DEFAULT_TRUST_DOMAIN, MESH_NAMESPACE, Port } from "../../xds/names.ts";

const inputFlags: readonly Flag[] = [
  { flags: "-f, --filename <input>", description: "the same as an argument; may be given again", parse: repeated },
  { flags: "--strict", description: "exit 1 and print nothing where a pod was skipped that should not be, or there is a warning" },
];

const input = { name: "[inputs...]", description: "YAML or JSON: a file, a folder, an https URL, or - for standard input" };

export const inject: Command = {
  name: "inject",
  aliases: ["kube-inject"],
  summary: "Put sidecars into manifests",
  description:
    "Adds the sidecar, and the container that captures traffic, to every Pod, Deployment, DaemonSet, StatefulSet, ReplicaSet, " +
    "ReplicationController, Job and CronJob, also inside Lists, and prints the result. Everything else, comments, order, quotes and " +
    "anchors stays as it was written. What happened to each object is told on standard error. No cluster is asked. Injecting again " +
    "replaces what was injected before; meshctl uninject takes it out.",
  arguments: [input],
  flags: [
    ...inputFlags,
    { flags: "-n, --namespace <name>", description: "namespace of objects that name none", default: "default" },
    { flags: "--image <image>", description: "image of the sidecar", env: "MESHCTL_IMAGE", defaultText: "meshctl:<this version>" },
    { flags: "--plain-sidecar", description: "a plain container instead of a native sidecar; Jobs and CronJobs get the native one anyway" },
    {
      flags: "--discovery-address <address>",
      description: "host:port of the control plane",
      default: `controller.${MESH_NAMESPACE}.svc:${Port.xdsSecure}`,
    },
    { flags: "--trust-domain <domain>", description: "trust domain of the mesh", default: DEFAULT_TRUST_DOMAIN },
    { flags: "--cluster-domain <domain>", description: "DNS domain of the cluster's Services", default: DEFAULT_CLUSTER_DOMAIN },
    { flags: "--cluster-id <name>", description: "what this cluster is called in metrics", default: "Kubernetes" },
    { flags: "--no-dns-capture", description: "leave DNS to the pod's own resolver" },
  ],
  examples: [
    "meshctl inject app.yaml | kubectl apply -f -",
    "meshctl inject - < rendered.yaml > meshed.yaml",
    "meshctl inject -f k8s/ --strict > meshed.yaml",
    "meshctl inject -n shop https://example.com/web.yaml > web.yaml",
  ],
  load: () => import("./inject-run.ts").then((module) => module.run),
};

export const uninject: Command = {
  name: "uninject",
  summary: "Take sidecars out of manifests",
  description:
    "Takes out what meshctl inject, or the webhook, put into manifests, and prints the result: byte for byte what was injected, with " +
    "what was edited since. A part of the mesh's own that was changed by hand stays and is named.",
  arguments: [input],
  flags: inputFlags,
  examples: ["meshctl uninject meshed.yaml > app.yaml", "meshctl uninject - < meshed.yaml | kubectl apply -f -"],
  load: () => import("./uninject-run.ts").then((module) => module.run),
};
