// The sidecar form of `meshctl proxy`: what a bootstrap file would say, made from flags and the environment that the
// injector wrote.
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import type { JsonObject } from "@bufbuild/protobuf";
import { create, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { parseHostPort } from "../../common/address.ts";
import { UserError } from "../../common/user-error.ts";
import { VERSION } from "../../common/version.ts";
import { NodeSchema } from "../../xds/gen/envoy/config/core/v3/base_pb.ts";
import { ClusterName, DEFAULT_CLUSTER_DOMAIN, Env, NodeMetadata, PodPath, Port, SecretName, sidecarNodeId } from "../../xds/names.ts";
import type { AdsConfig, BootstrapConfig, NodeConfig } from "./bootstrap-config.ts";
import { EMPTY_PROXY_CONFIG } from "./proxy-config.ts";

export interface SidecarSettings {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** DNS domain of the workload, `<namespace>.svc.<cluster domain>`; undefined: made from the namespace. */
  readonly domain: string | undefined;
  /** Whether the sidecar answers DNS, told to the control plane. */
  readonly dnsCapture: boolean;
  /** Files in the container; other ones where a test or the local mesh has them elsewhere. */
  readonly tokenFile?: string;
  readonly rootsFile?: string;
  readonly labelsFile?: string;
}

/** @throws UserError naming every variable that is missing or wrong. */
export function buildSidecarBootstrap(settings: SidecarSettings): BootstrapConfig {
  const { env } = settings;
  const missing = [Env.podName, Env.podNamespace, Env.instanceIp, Env.discoveryAddress].filter((name) => (env[name] ?? "") === "");
  if (missing.length > 0) {
    throw new UserError(
      `the environment lacks ${missing.join(", ")}`,
      "the injector sets them; outside a pod use meshctl proxy --bootstrap FILE",
    );
  }
  const ip = env[Env.instanceIp]!;
  if (isIP(ip) === 0) throw new UserError(`${Env.instanceIp}=${ip} is no IP address`);
  const node = toNode(settings, ip);
  return {
    node,
    statics: EMPTY_PROXY_CONFIG,
    records: [],
    adsSecrets: [],
    adsRoutes: [],
    admin: { host: "127.0.0.1", port: Port.admin, accessLogs: [] },
    ads: toAds(settings, env[Env.discoveryAddress]!),
    cdsViaAds: true,
    ldsViaAds: true,
    // A sidecar without its listeners would let traffic run into nothing: it waits.
    initialFetchTimeoutMs: 0,
    bytes: bootstrapBytes(node),
    warnings: [],
  };
}

/** A Bootstrap that has its node (field 1) alone, written by hand: the whole message's types cost each sidecar memory. */
function bootstrapBytes({ id, cluster, metadata }: NodeConfig): Uint8Array {
  const node = toBinary(NodeSchema, create(NodeSchema, { id, cluster, metadata }));
  return new BinaryWriter().tag(1, WireType.LengthDelimited).bytes(node).finish();
}

function toNode(settings: SidecarSettings, ip: string): NodeConfig {
  const { env } = settings;
  const namespace = env[Env.podNamespace]!;
  const domain = settings.domain ?? `${namespace}.svc.${DEFAULT_CLUSTER_DOMAIN}`;
  const clusterDomain = domain.startsWith(`${namespace}.svc.`) ? domain.slice(`${namespace}.svc.`.length) : DEFAULT_CLUSTER_DOMAIN;
  const labels = readLabels(settings);
  const name = labels["app"] ?? env[Env.workloadName] ?? env[Env.podName]!;
  const metadata: JsonObject = {
    [NodeMetadata.namespace]: namespace,
    [NodeMetadata.serviceAccount]: env[Env.serviceAccount] || "default",
    [NodeMetadata.labels]: labels,
    [NodeMetadata.instanceIps]: env[Env.instanceIps] || ip,
    [NodeMetadata.version]: VERSION,
    [NodeMetadata.interceptionMode]: "REDIRECT",
    ...(settings.dnsCapture ? { [NodeMetadata.dnsCapture]: "true" } : {}),
  };
  const optional = [
    [NodeMetadata.workloadName, Env.workloadName],
    [NodeMetadata.owner, Env.owner],
    [NodeMetadata.clusterId, Env.clusterId],
    [NodeMetadata.meshId, Env.meshId],
  ] as const;
  for (const [key, variable] of optional) {
    const value = env[variable] ?? "";
    if (value !== "") metadata[key] = value;
  }
  return {
    id: sidecarNodeId(ip, env[Env.podName]!, namespace, clusterDomain),
    cluster: `${name}.${namespace}`,
    locality: { region: "", zone: "", subZone: "" },
    metadata,
  };
}

function toAds(settings: SidecarSettings, discoveryAddress: string): AdsConfig {
  const address = parseHostPort(discoveryAddress);
  if (address === undefined || address.port === 0) {
    throw new UserError(`${Env.discoveryAddress}=${discoveryAddress} is no HOST:PORT`, `such as meshctl.mesh-system.svc:${Port.xdsSecure}`);
  }
  return {
    clusterName: ClusterName.ads,
    address,
    // 15010 is the control plane's plaintext port, for debugging.
    tls:
      address.port === Port.xdsPlaintext
        ? undefined
        : {
            // Beside the token, so that it is let in while nobody can be asked about that.
            certificateSecret: SecretName.workload,
            validationSecret: undefined,
            sanMatches: [],
            alpn: [],
            minVersion: "TLSv1.2",
            maxVersion: "TLSv1.3",
            cipherSuites: [],
            sni: address.host,
          },
    metadata: {},
    connectTimeoutMs: 10_000,
    rootsFile: settings.rootsFile ?? PodPath.rootCertificate,
    tokenFile: settings.tokenFile ?? PodPath.token,
  };
}

/** Labels of the pod: of the file that Kubernetes keeps current where it is there, else of the environment. */
function readLabels(settings: SidecarSettings): Readonly<Record<string, string>> {
  const file = settings.labelsFile ?? PodPath.podInfoLabels;
  let text: string | undefined;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    // No downward API volume.
  }
  if (text !== undefined) return parseDownwardLabels(text);
  const json = settings.env[Env.labels] ?? "";
  if (json === "") return {};
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    value = undefined;
  }
  if (typeof value !== "object" || value === null || Object.values(value).some((each) => typeof each !== "string")) {
    throw new UserError(`${Env.labels} is no JSON object of texts`, `such as {"app":"checkout"}`);
  }
  return value as Readonly<Record<string, string>>;
}

/** The downward API's format: a line `key="value"` for each label, quoted as Go quotes. */
export function parseDownwardLabels(text: string): Readonly<Record<string, string>> {
  const labels: Record<string, string> = {};
  for (const line of text.split("\n")) {
    const at = line.indexOf("=");
    if (at <= 0) continue;
    const quoted = line.slice(at + 1).trim();
    try {
      labels[line.slice(0, at).trim()] = JSON.parse(quoted) as string;
    } catch {
      labels[line.slice(0, at).trim()] = quoted.replace(/^"|"$/g, "");
    }
  }
  return labels;
}
