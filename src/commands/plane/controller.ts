// `meshctl controller`: the control plane. Flags are read here as text; controller-run.ts makes sense of them.
import type { Command } from "../../cli/command.ts";
import { durationFlag, logFlags, wordFlag, workloadCertTtlFlag } from "../../cli/flags.ts";
import type { PathNormalization } from "../../control-plane/registry/mesh-snapshot.ts";
import { DEFAULT_CLUSTER_DOMAIN, DEFAULT_TRUST_DOMAIN, MESH_NAMESPACE, Port } from "../../xds/names.ts";

const PATH_NORMALIZATIONS: readonly PathNormalization[] = ["NONE", "BASE", "MERGE_SLASHES", "DECODE_AND_MERGE_SLASHES"];

export const controller: Command = {
  name: "controller",
  summary: "Run the control plane",
  description:
    "Reads Services, EndpointSlices, Pods, Nodes and the mesh's own kinds (VirtualService, DestinationRule, PeerAuthentication) from " +
    "a Kubernetes cluster or from YAML files, follows them as they change, and keeps every connected sidecar's configuration up to " +
    "date. In a pod it reads the cluster that it runs in, unless told otherwise. A mistake is reported with object and field, in " +
    "files with their line; what was valid before stays in force.",
  flags: [
    {
      flags: "--source <path...>",
      description:
        "directory (searched for *.yaml, *.yml, *.json) or file to read and follow; of several, the later one has the last word on an object",
    },
    {
      flags: "--kubeconfig <file>",
      description: "kubeconfig of the cluster to read and follow (default with --context: $KUBECONFIG, else ~/.kube/config)",
    },
    { flags: "--context <name>", description: "context of the kubeconfig (default: its current one)" },
    { flags: "--trust-domain <domain>", description: "trust domain of the workloads' identities", default: DEFAULT_TRUST_DOMAIN },
    { flags: "--cluster-domain <domain>", description: "DNS domain of the cluster's Services", default: DEFAULT_CLUSTER_DOMAIN },
    { flags: "--root-namespace <name>", description: "namespace whose policies hold for the whole mesh", default: MESH_NAMESPACE },
    { flags: "--cluster-id <name>", description: "what this cluster is called in metrics", default: "Kubernetes" },
    {
      flags: "--ca-dir <dir>",
      description:
        "folder of the CA's certificate and key; an empty one gets a new root (default: the Secret meshctl-ca of the cluster; without a cluster, a root that lives as long as the process)",
    },
    {
      flags: "--token-issuer-keys <file>",
      description: "JSON Web Key Set that sidecars' tokens are checked with (default: the cluster's API server is asked)",
    },
    { flags: "--token-issuer <issuer>", description: "who must have issued the tokens (default: the local mesh)" },
    workloadCertTtlFlag(),
    { flags: "--tls-san <name...>", description: "further DNS name or address in the secure port's certificate" },
    {
      flags: "--xds-address <address>",
      description: "xDS in plaintext, without authentication; 'none' for none",
      default: `127.0.0.1:${Port.xdsPlaintext}`,
    },
    {
      flags: "--secure-address <address>",
      description:
        `xDS and certificates over TLS, for sidecars that prove who they are; in a cluster it also keeps the CA's Secret and the trust ` +
        `bundles (default: [::]:${Port.xdsSecure} with --token-issuer-keys, else none)`,
    },
    {
      flags: "--webhook-address <address>",
      description:
        "port that the cluster's API server asks about pods and mesh configuration; it shows a certificate of the mesh's CA, so it " +
        "needs the secure port (default: none)",
    },
    {
      flags: "--sidecar-image <image>",
      description: "image of injected sidecars",
      env: "MESHCTL_IMAGE",
      defaultText: "meshctl:<this version>",
    },
    {
      flags: "--monitoring-address <address>",
      description: "metrics, readiness and /debug; 'none' for none",
      default: `127.0.0.1:${Port.monitoring}`,
    },
    { flags: "--access-log <path>", description: "file to which every sidecar writes its access log, such as /dev/stdout (default: none)" },
    {
      flags: "--path-normalization <mode>",
      description: `what sidecars make of a request's path, as Istio: ${PATH_NORMALIZATIONS.join(", ")}`,
      default: "BASE",
      parse: wordFlag("--path-normalization", PATH_NORMALIZATIONS),
    },
    {
      flags: "--protocol-detection-timeout <duration>",
      description: "how long sidecars wait for first bytes where the protocol is not declared; 0: for ever, as Istio",
      default: 5000,
      defaultText: "5s",
      parse: durationFlag("--protocol-detection-timeout", 0, 3_600_000, "from 0 to 1h"),
    },
    ...logFlags(),
  ],
  examples: [
    "meshctl controller --source ./mesh       plaintext xDS on this machine",
    "meshctl controller --source ./mesh --ca-dir ./ca --token-issuer-keys jwks.json",
    "meshctl controller --context staging     the cluster of that kubectl context",
  ],
  load: () => import("./controller-run.ts").then((module) => module.run),
};
