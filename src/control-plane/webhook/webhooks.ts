// The webhooks of one replica: what answers API servers, what is written down about it, and the caBundles by which they
// trust the answers.
import { hostname } from "node:os";
import type { HostPort } from "../../common/address.ts";
import type { Clock } from "../../common/clock.ts";
import type { Logger } from "../../common/log.ts";
import type { ClusterConnection } from "../../kube/cluster-connection.ts";
import { KubeObjects } from "../../kube/objects.ts";
import { INJECTOR_CONFIGURATION, VALIDATOR_CONFIGURATION } from "../../manifests/install/webhook-configurations.ts";
import type { InjectionValues } from "../../manifests/injected-containers.ts";
import { DEFAULT_RESOURCES } from "../../manifests/sidecar-annotations.ts";
import { Port } from "../../xds/names.ts";
import { CONTROLLER_SERVICE } from "../certificate-authority.ts";
import type { CertificateAuthority } from "../certificate-authority.ts";
import { objectKey } from "../ingest/raw-object.ts";
import type { MeshSettings } from "../registry/mesh-snapshot.ts";
import type { Registry } from "../registry/registry.ts";
import type { AdmissionAnswer, AdmissionRequest } from "./admission-review.ts";
import type { ClusterDuties } from "./cluster-duties.ts";
import { CaBundle } from "./ca-bundle.ts";
import { InjectionEvents } from "./injection-events.ts";
import { InjectionWebhook } from "./injection-webhook.ts";
import type { Namespaces } from "./injection-webhook.ts";
import { ValidationWebhook } from "./validation-webhook.ts";
import { serveWebhooks } from "./webhook-server.ts";

export interface WebhooksOptions {
  readonly address: HostPort;
  readonly sidecarImage: string;
  readonly settings: MeshSettings;
  /** Signs for the port, too. */
  readonly authority: CertificateAuthority;
  readonly connection: ClusterConnection;
  /** Knows namespaces. */
  readonly registry: Registry;
  readonly duties: ClusterDuties;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface Webhooks {
  /** As bound, for a port that was 0. */
  readonly port: number;
  /** Whether API servers trust the answers. */
  isReady(): boolean;
  stop(): Promise<void>;
}

/** Within the API server's patience, 5 s. */
const NAMESPACE_TIMEOUT_MS = 3_000;

/** @throws UserError when the address is taken. */
export async function startWebhooks(options: WebhooksOptions): Promise<Webhooks> {
  const { address, authority, connection, registry, duties, clock, log } = options;
  const { metrics, facts } = duties;
  const { rootsPem } = authority.issuer.authority;
  const objects = new KubeObjects({ connection, clock });
  const events = new InjectionEvents({ objects, clock, log, instance: hostname(), onDropped: () => metrics.droppedEvents++ });
  const injection = new InjectionWebhook({
    values: injectionValues(options),
    namespaces: {
      known: (name) => registry.get(objectKey({ kind: "Namespace", namespace: "", name }))?.meta,
      fetch: fetchNamespace(new KubeObjects({ connection, clock, timeoutMs: NAMESPACE_TIMEOUT_MS })),
    },
    noNativeSidecars: () => facts.noNativeSidecars,
  });
  const inject = async (request: AdmissionRequest): Promise<AdmissionAnswer> => {
    const startedMs = performance.now();
    const seconds = (): number => (performance.now() - startedMs) / 1000;
    try {
      const { answer, report } = await injection.review(request);
      metrics.countInjection(report.outcome, report.reason, seconds());
      events.record(report);
      log.debug({ namespace: request.namespace, dryRun: request.dryRun, outcome: report.outcome, reason: report.text }, "pod reviewed");
      return answer;
    } catch (error) {
      metrics.countInjection("failed", "error", seconds());
      throw error;
    }
  };
  const validation = new ValidationWebhook(metrics, log);
  const server = await serveWebhooks({
    address,
    certificate: authority.serverCertificate,
    reviewers: { "/inject": inject, "/validate": (request) => validation.review(request) },
    onBadRequest: (status, message) => {
      metrics.badRequests++;
      log.debug({ status }, `no review: ${message}`);
    },
    onFailure: (path, error) => log.error({ path, error: error.message }, "a review failed"),
  });
  const bundles = [
    { kind: "MutatingWebhookConfiguration", name: INJECTOR_CONFIGURATION } as const,
    { kind: "ValidatingWebhookConfiguration", name: VALIDATOR_CONFIGURATION } as const,
  ].map((each) => new CaBundle({ connection, objects, clock, log, ...each, rootsPem, onWrite: () => metrics.caBundleWrites++ }));
  for (const each of bundles) each.start();
  return {
    port: server.port,
    isReady: () => bundles.every((each) => each.isInPlace),
    async stop() {
      for (const each of bundles) each.stop();
      await server.stop();
      // After the last review.
      events.stop();
    },
  };
}

function injectionValues({ sidecarImage, settings }: WebhooksOptions): InjectionValues {
  const { trustDomain, clusterDomain, clusterId, rootNamespace } = settings;
  const controller = `${CONTROLLER_SERVICE}.${rootNamespace}.svc:${Port.xdsSecure}`;
  return {
    image: sidecarImage,
    discoveryAddress: controller,
    caAddress: controller,
    trustDomain,
    clusterDomain,
    clusterId,
    meshId: trustDomain,
    dnsCapture: true,
    nativeSidecar: true,
    resources: DEFAULT_RESOURCES,
  };
}

function fetchNamespace(objects: KubeObjects): Namespaces["fetch"] {
  return async (name) => {
    const found = await objects.get({ apiVersion: "v1", kind: "Namespace", name });
    return found?.metadata;
  };
}
