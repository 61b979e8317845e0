// A small cluster with a mesh in which nothing is wrong: as objects that an API server would give, and as the state that
// the checks see. A test makes one thing of it wrong.
import { generateKeyPairSync } from "node:crypto";
import { createIssuer } from "../../../src/ca/authority/issuer.ts";
import { createEphemeralAuthority } from "../../../src/ca/authority/roots.ts";
import type {
  ClusterState,
  CrdObject,
  DeploymentObject,
  LeaseObject,
  NodeObject,
  PodObject,
  WebhookConfiguration,
} from "../../../src/commands/check/cluster-state.ts";
import { VERSION } from "../../../src/common/version.ts";
import { customResourceDefinitions } from "../../../src/manifests/crd/custom-resource-definition.ts";
import { INJECTED_ANNOTATION } from "../../../src/manifests/injection-record.ts";
import { injectionPatch } from "../../../src/manifests/injector.ts";
import { applyJsonPatch } from "../../../src/manifests/json-patch.ts";
import type { ConfigMap, KubeObject, PodTemplate } from "../../../src/manifests/kube-objects.ts";

export const NOW_MS = Date.UTC(2026, 10, 21, 12);

export interface MeshCertificates {
  readonly roots: string;
  readonly serving: { readonly chain: readonly string[]; readonly key: string };
}

/** A root of ten years and a serving certificate of the webhooks of a week, made at `nowMs`. */
export async function meshCertificates(nowMs = NOW_MS, host = "controller.mesh-system.svc"): Promise<MeshCertificates> {
  const authority = await createEphemeralAuthority("cluster.local", nowMs);
  const issuer = createIssuer(authority, { clock: { now: () => nowMs, after: () => () => undefined } });
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const { chain } = await issuer.signKey(publicKey, { dnsNames: [host] }, 7 * 86_400);
  const key = privateKey.export({ type: "pkcs8", format: "pem" });
  return { roots: authority.rootsPem, serving: { chain: chain.slice(0, -1), key } };
}

const LABELS = { "meshctl.io/installation": "mesh-system" };

export function namespace(name: string, labels: Readonly<Record<string, string>> = {}, annotations = {}): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name, labels: { "kubernetes.io/metadata.name": name, ...labels }, annotations },
  };
}

export function node(name: string, kubeletVersion = "v1.33.2"): NodeObject {
  return {
    ...{ apiVersion: "v1", kind: "Node", metadata: { name } },
    status: { nodeInfo: { kubeletVersion }, conditions: [{ type: "Ready", status: "True" }] },
  };
}

export function lease(name: string, renewedMs: number): LeaseObject {
  return {
    ...{ apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { name, namespace: "kube-node-lease" } },
    spec: { renewTime: new Date(renewedMs).toISOString() },
  };
}

export function crds(): CrdObject[] {
  return customResourceDefinitions().map((each) => ({
    ...(each as unknown as CrdObject),
    metadata: { ...each.metadata, labels: LABELS },
    status: { conditions: [{ type: "Established", status: "True" }] },
  }));
}

export function rootConfigMap(of: string, roots: string): ConfigMap {
  const metadata = { name: "meshctl-root-cert", namespace: of, labels: LABELS };
  return { apiVersion: "v1", kind: "ConfigMap", metadata, data: { "root-cert.pem": roots } };
}

export function injector(roots: string): WebhookConfiguration {
  const service = { namespace: "mesh-system", name: "controller", path: "/inject", port: 443 };
  return {
    ...{ apiVersion: "admissionregistration.k8s.io/v1", kind: "MutatingWebhookConfiguration" },
    metadata: { name: "meshctl-sidecar-injector", labels: LABELS },
    webhooks: [
      {
        name: "namespace.sidecar-injector.meshctl.io",
        failurePolicy: "Fail",
        clientConfig: { service, caBundle: Buffer.from(roots).toString("base64") },
        namespaceSelector: { matchExpressions: [{ key: "meshctl.io/inject", operator: "In", values: ["enabled", "true"] }] },
      },
    ],
  };
}

export const deployment: DeploymentObject = {
  ...{ apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "controller", namespace: "mesh-system", labels: LABELS } },
  spec: { replicas: 1 },
  status: { updatedReplicas: 1, availableReplicas: 1, conditions: [{ type: "Available", status: "True" }] },
};

const READY = { conditions: [{ type: "Ready", status: "True" }] };

export const controllerPod: PodObject = {
  ...{ apiVersion: "v1", kind: "Pod" },
  metadata: {
    ...{ name: "controller-7d4b9c6f5-x2x7k", namespace: "mesh-system" },
    labels: { "app.kubernetes.io/name": "meshctl", "app.kubernetes.io/component": "controller", ...LABELS },
  },
  spec: { nodeName: "node-1", containers: [{ name: "controller", image: "meshctl:1" }] },
  status: {
    ...{ phase: "Running", podIP: "10.0.0.2", ...READY },
    containerStatuses: [{ name: "controller", ready: true, restartCount: 0, state: { running: {} } }],
  },
};

/** A pod of Deployment `web`, as its author wrote it. */
export function appPod(name: string, spec: Partial<PodTemplate["spec"]> = {}, metadata: Partial<PodTemplate["metadata"]> = {}): PodObject {
  const owner = { apiVersion: "apps/v1", kind: "ReplicaSet", name: "web-5f6d7", uid: "1", controller: true };
  return {
    ...{ apiVersion: "v1", kind: "Pod" },
    metadata: {
      ...{ name, namespace: "shop", ownerReferences: [owner], ...metadata },
      labels: { app: "web", "pod-template-hash": "5f6d7", ...metadata.labels },
    },
    spec: { nodeName: "node-1", containers: [{ name: "app", image: "web:1", ports: [{ containerPort: 8080 }] }], ...spec },
    status: {
      ...{ phase: "Running", ...READY },
      containerStatuses: [{ name: "app", ready: true, restartCount: 0, state: { running: {} } }],
    },
  };
}

/** The same as the webhook makes it, and as it runs. */
export function meshedPod(name: string, spec: Partial<PodTemplate["spec"]> = {}, version = VERSION): PodObject {
  const pod = appPod(name, spec);
  const values = {
    ...{ image: "meshctl:1", discoveryAddress: "controller.mesh-system.svc:15012", caAddress: "controller.mesh-system.svc:15012" },
    ...{ trustDomain: "cluster.local", clusterDomain: "cluster.local", clusterId: "Kubernetes", meshId: "cluster.local" },
    ...{ dnsCapture: true, nativeSidecar: true },
  };
  const patch = injectionPatch(pod, { namespace: "shop", kind: "Deployment", name: "web" }, values);
  if (!patch.ok) throw new Error(JSON.stringify(patch.problems));
  const injected = applyJsonPatch(pod, patch.value);
  const initContainerStatuses = [
    { name: "meshctl-init", ready: true, restartCount: 0, state: { terminated: { exitCode: 0 } } },
    { name: "meshctl-proxy", ready: true, restartCount: 0, state: { running: {} } },
  ];
  const { metadata } = injected;
  const record = metadata.annotations?.[INJECTED_ANNOTATION]?.replace(`"version":"${VERSION}"`, `"version":"${version}"`) ?? "";
  const annotations = { ...metadata.annotations, [INJECTED_ANNOTATION]: record };
  return { ...injected, metadata: { ...metadata, annotations }, status: { ...injected.status, initContainerStatuses } };
}

export function healthyState({ roots, serving }: MeshCertificates, pods: readonly PodObject[] = [meshedPod("web-1")]): ClusterState {
  const proxies = pods.map(({ metadata }) => ({ proxy: `${metadata.name}.${metadata.namespace}` }));
  return {
    nowMs: NOW_MS,
    version: VERSION,
    server: { value: { gitVersion: "v1.33.2", dateMs: NOW_MS, askedMs: NOW_MS, answeredMs: NOW_MS + 20 } },
    nodes: { value: [node("node-1")] },
    leases: { value: [lease("node-1", NOW_MS - 5000)] },
    namespaces: { value: [namespace("mesh-system", LABELS), namespace("shop", { "meshctl.io/inject": "enabled" }), namespace("default")] },
    crds: { value: crds() },
    webhooks: { value: [injector(roots)] },
    installation: {
      ...{ namespace: "mesh-system", problems: { value: [] }, crds: crds() },
      objects: [{ kind: "Service", name: "controller", namespace: "mesh-system", isThere: { value: true } }],
    },
    controller: {
      value: {
        deployment,
        pods: { value: [controllerPod] },
        readyEndpoints: { value: { controller: 1 } },
        replicas: {
          value: [
            {
              pod: "controller-7d4b9c6f5-x2x7k",
              version: { value: VERSION },
              webhook: { value: { chain: serving.chain } },
              proxies: { value: proxies },
            },
          ],
        },
      },
    },
    identity: {
      issuer: { value: roots },
      rootConfigMaps: { value: [rootConfigMap("mesh-system", roots), rootConfigMap("shop", roots)] },
    },
    permissions: { value: [] },
    dataPlane: { namespace: undefined, pods: { value: pods }, captureLogs: {} },
  };
}
