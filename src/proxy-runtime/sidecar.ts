// What a sidecar has beside a proxy: an identity of its own, DNS for its pod, and the ports that kubelet and Prometheus ask.
import { readFileSync } from "node:fs";
import { createCertificateClient } from "../ca/client/create-certificate-client.ts";
import { formatSpiffeId } from "../ca/client/spiffe-id.ts";
import { parseHostPort, type HostPort } from "../common/address.ts";
import type { Clock } from "../common/clock.ts";
import { describeFileError } from "../common/file-error.ts";
import { UserError } from "../common/user-error.ts";
import { connectGrpc } from "../xds/grpc-channel.ts";
import { DEFAULT_TRUST_DOMAIN, Env, NodeMetadata, Port } from "../xds/names.ts";
import type { AdsConfig, BootstrapConfig } from "./config/bootstrap-config.ts";
import type { SecretConfig } from "./config/tls-config.ts";
import { readAppProbers, readScrapeTargets } from "./status/app-probers.ts";
import type { StatusPortOptions } from "./status/status-port.ts";
import { startDns, type DnsServer } from "./dns/dns-server.ts";
import { watchFiles } from "./identity/file-watch.ts";
import { WorkloadIdentity } from "./identity/workload-identity.ts";
import { waitForOthersInPod } from "./others-in-pod.ts";
import type { StatsStore } from "./telemetry/stats-store.ts";
import type { WorkloadFacts } from "./telemetry/workload-facts.ts";

export interface SidecarParts {
  readonly readyPort: number;
  readonly prometheusPort: number;
  readonly statusPort: number;
  readonly app: Pick<StatusPortOptions, "probers" | "scrapeTargets" | "podIp">;
  /** Begins to get certificates; returns what ends it. */
  startIdentity(onSecrets: (secrets: readonly SecretConfig[]) => void): () => void;
  /** At the end of the pod: resolves when the sidecar isn't needed any more. */
  appEnded(): Promise<void>;
  /** @throws UserError where the DNS port can't be had. */
  startDns(names: () => ReadonlyMap<string, readonly string[]>, stats: StatsStore): Promise<DnsServer>;
}

export interface SidecarOptions {
  readonly bootstrap: BootstrapConfig;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly clusterDomain: string;
  readonly dnsUpstream: "none" | readonly HostPort[];
  /** A plain sidecar gets its SIGTERM with the application, which may still need it. */
  readonly outlivesApp: boolean;
  readonly log: (level: "info" | "warn" | "error", message: string) => void;
}

// Istio's SECRET_TTL.
const CERTIFICATE_TTL_S = 24 * 3600;

/** @throws UserError where the control plane's root certificate, or what the injector wrote, can't be read. */
export function makeSidecarParts(options: SidecarOptions): SidecarParts {
  const { bootstrap, env, clock, log } = options;
  const ads = bootstrap.ads!;
  const rootsFile = ads.rootsFile!;
  const readRoots = (): string => readFileSync(rootsFile, "utf8");
  let rootsPem: string;
  try {
    rootsPem = readRoots();
  } catch (error) {
    throw new UserError(
      `can't read the mesh's root certificate ${rootsFile}: ${describeFileError(error)}`,
      "the injector mounts it; see meshctl local status",
    );
  }
  const namespace = env[Env.podNamespace]!;
  return {
    readyPort: Port.ready,
    prometheusPort: Port.prometheus,
    statusPort: Port.mergedMetrics,
    app: { probers: readAppProbers(env), scrapeTargets: readScrapeTargets(env), podIp: env[Env.instanceIp]! },
    startIdentity(onSecrets) {
      const identity = new WorkloadIdentity({
        spiffeId: formatSpiffeId({
          trustDomain: env[Env.trustDomain] || DEFAULT_TRUST_DOMAIN,
          namespace,
          serviceAccount: env[Env.serviceAccount] || "default",
        }),
        rootsPem,
        requestCertificate: requestOverOwnConnection(ads, env, readRoots),
        ttlS: CERTIFICATE_TTL_S,
        clock,
        onSecrets,
        log,
      });
      const stopWatching = watchFiles([rootsFile], clock, () => identity.setRoots(readRoots()));
      identity.start();
      return () => {
        stopWatching();
        identity.stop();
      };
    },
    appEnded: () => (options.outlivesApp ? waitForOthersInPod() : Promise.resolve()),
    startDns: (names, stats) =>
      startDns({
        // Not the wildcard: an answer from the pod's own address would not match the captured query.
        addresses: [
          { host: "127.0.0.1", port: Port.dns },
          { host: "::1", port: Port.dns },
        ],
        names,
        namespace,
        clusterDomain: options.clusterDomain,
        upstream: options.dnsUpstream,
        stats,
      }),
  };
}

/** A connection for each request, closed after it: twice a day doesn't pay for an open one. */
function requestOverOwnConnection(
  ads: AdsConfig,
  env: SidecarOptions["env"],
  readRoots: () => string,
): ReturnType<typeof createCertificateClient> {
  const given = env[Env.caAddress] ?? "";
  const address = given === "" ? ads.address : parseHostPort(given);
  if (address === undefined)
    throw new UserError(`${Env.caAddress}=${given} is no HOST:PORT`, `such as controller.mesh-system.svc:${Port.xdsSecure}`);
  return async (csrPem, ttlS) => {
    const channel = connectGrpc({ address, tls: () => ({ roots: readRoots(), servername: address.host }) });
    try {
      return await createCertificateClient({ channel, tokenFile: ads.tokenFile })(csrPem, ttlS);
    } finally {
      channel.close();
    }
  };
}

/** Who this workload is, for the labels of its metrics. */
export function ownWorkload(bootstrap: BootstrapConfig, env: SidecarOptions["env"]): WorkloadFacts {
  const labels = (bootstrap.node.metadata[NodeMetadata.labels] ?? {}) as Readonly<Record<string, string>>;
  const namespace = env[Env.podNamespace]!;
  const name = env[Env.workloadName] || env[Env.podName]!;
  const trustDomain = env[Env.trustDomain] || DEFAULT_TRUST_DOMAIN;
  return {
    name,
    namespace,
    canonicalName: labels["service.istio.io/canonical-name"] ?? labels["app.kubernetes.io/name"] ?? labels["app"] ?? name,
    canonicalRevision:
      labels["service.istio.io/canonical-revision"] ?? labels["app.kubernetes.io/version"] ?? labels["version"] ?? "latest",
    principal: formatSpiffeId({ trustDomain, namespace, serviceAccount: env[Env.serviceAccount] || "default" }),
    app: labels["app"] ?? "unknown",
    version: labels["version"] ?? "unknown",
    cluster: env[Env.clusterId] || "Kubernetes",
  };
}
