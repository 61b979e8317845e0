// The healthy mesh in an API server double, with a control plane that answers through port-forwarding.
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { resolve } from "node:path";
import { createServer as createTlsServer } from "node:tls";
import type { PodObject, WebhookConfiguration } from "../../../src/commands/check/cluster-state.ts";
import { controlPlaneObjects } from "../../../src/manifests/install/installation.ts";
import { resolveValues } from "../../../src/manifests/install/profiles.ts";
import type { KubeObject } from "../../../src/manifests/kube-objects.ts";
import { ApiServer } from "../api-server/api-server.ts";
import {
  controllerPod,
  crds,
  deployment,
  lease,
  meshCertificates,
  namespace,
  node,
  rootConfigMap,
  type MeshCertificates,
} from "./healthy-mesh.ts";

const PACKAGE = resolve(import.meta.dirname, "../../../package.json");
/** That of bin/meshctl, which is bundled; from source it is another. */
export const INSTALLED_VERSION = (JSON.parse(readFileSync(PACKAGE, "utf8")) as { version: string }).version;

type Draft = Readonly<Record<string, unknown>>;

export interface MeshInDouble {
  readonly server: ApiServer;
  readonly certificates: MeshCertificates;
  /** What /debug/syncz lists. */
  proxies: string[];
  /** Called before it does. */
  onSyncz: () => void;
  create(...objects: readonly (KubeObject | PodObject)[]): void;
  deleteController(): void;
  /** Of all our webhooks. */
  setCaBundle(roots: string): void;
  /** As it was in the beginning. */
  reset(): Promise<void>;
  stop(): Promise<void>;
}

export async function meshInDouble(): Promise<MeshInDouble> {
  const server = new ApiServer();
  await server.start();
  const certificates = await meshCertificates(Date.now());
  const { roots, serving } = certificates;
  const created: Draft[] = [];
  const printed = controlPlaneObjects(resolveValues([])).map((each) => withCaBundle(each, roots));
  const mesh: MeshInDouble = {
    ...{ server, certificates, proxies: [] },
    onSyncz: () => undefined,
    create(...objects) {
      for (const each of objects) {
        server.create(each as unknown as Draft);
        created.push(each as unknown as Draft);
      }
    },
    deleteController() {
      server.delete(deployment as unknown as Draft);
      created.splice(created.indexOf(deployment as unknown as Draft), 1);
    },
    setCaBundle(other) {
      for (const each of printed) if ("webhooks" in each) server.replace(withCaBundle(each, other) as unknown as Draft);
    },
    reset() {
      for (const each of created.splice(0)) server.delete(each);
      mesh.create(...printed.filter((each) => each.kind !== "Deployment"), ...crds(), deployment, controllerPod, ...cluster(roots));
      Object.assign(mesh, { proxies: [], onSyncz: () => undefined });
      server.reviews.set("SelfSubjectAccessReview", () => ({ allowed: true }));
      server.forbids = () => false;
      server.requests.splice(0);
      return Promise.resolve();
    },
    async stop() {
      monitoring.close();
      webhook.close();
      await server.stop();
    },
  };
  const monitoring: Server = createServer((request, response) => {
    if (request.url === "/version") return void response.end(`${INSTALLED_VERSION}\n`);
    if (request.url !== "/debug/syncz") return void response.writeHead(404).end();
    mesh.onSyncz();
    response.end(JSON.stringify(mesh.proxies.map((proxy) => ({ proxy }))));
  });
  const webhook = createTlsServer({ cert: serving.chain.join(""), key: serving.key });
  // Whoever looks at the certificate alone breaks off.
  webhook.on("tlsClientError", () => undefined);
  webhook.on("secureConnection", (socket) => socket.on("error", () => undefined));
  for (const each of [monitoring, webhook]) {
    each.listen(0, "127.0.0.1");
    await once(each, "listening");
  }
  const ports = new Map([
    [15014, (monitoring.address() as AddressInfo).port],
    [15017, (webhook.address() as AddressInfo).port],
  ]);
  server.forward = (_namespace, _pod, port) => (ports.has(port) ? { port: ports.get(port)! } : undefined);
  await mesh.reset();
  return mesh;
}

/** What isn't the installation's: nodes, namespaces, and what the control plane and Kubernetes write. */
function cluster(roots: string): KubeObject[] {
  const slice = { name: "controller-abcde", namespace: "mesh-system", labels: { "kubernetes.io/service-name": "controller" } };
  const endpoints = [{ addresses: ["10.0.0.2"], conditions: { ready: true } }];
  const objects: unknown[] = [
    ...[node("node-1"), lease("node-1", Date.now()), namespace("shop", { "meshctl.io/inject": "enabled" })],
    ...[rootConfigMap("mesh-system", roots), rootConfigMap("shop", roots)],
    { apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice", metadata: slice, addressType: "IPv4", endpoints },
    {
      ...{ apiVersion: "v1", kind: "Secret", metadata: { name: "meshctl-ca", namespace: "mesh-system" } },
      data: { "ca-cert.pem": Buffer.from(roots).toString("base64") },
    },
  ];
  return objects as KubeObject[];
}

/** As the control plane completes it. */
function withCaBundle(object: KubeObject, roots: string): KubeObject {
  const { webhooks } = object as { readonly webhooks?: WebhookConfiguration["webhooks"] };
  if (webhooks === undefined) return object;
  const caBundle = Buffer.from(roots).toString("base64");
  const completed = webhooks.map((each) => ({ ...each, clientConfig: { ...each.clientConfig, caBundle } }));
  return { ...object, webhooks: completed } as KubeObject;
}
