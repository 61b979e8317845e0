// Kubernetes objects of the end-to-end tests: workloads that run app.mjs, their Services, and mesh API objects.
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { buildSync } from "esbuild";

export type KubeDocument = Readonly<Record<string, unknown>>;

type Program = "app.mjs" | "rpc-app.cjs";

function configMapOf(namespace: string, file: Program, text: string): KubeDocument {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "app", namespace }, data: { [file]: text } };
}

/** What workloads of this namespace run. */
export function program(namespace: string): KubeDocument {
  return configMapOf(namespace, "app.mjs", readFileSync(join(import.meta.dirname, "app.mjs"), "utf8"));
}

/** With its packages inside: a container need not see where this repository is. */
export function rpcProgram(namespace: string): KubeDocument {
  const entryPoints = [join(import.meta.dirname, "rpc-app.mjs")];
  const { outputFiles } = buildSync({ entryPoints, bundle: true, minify: true, platform: "node", format: "cjs", write: false });
  return configMapOf(namespace, "rpc-app.cjs", outputFiles[0]!.text);
}

export interface AppOptions {
  readonly namespace: string;
  readonly name: string;
  /** Label `app`; the name unless said. */
  readonly app?: string;
  readonly version?: string;
  readonly replicas?: number;
  /** Without a sidecar. */
  readonly isOutside?: boolean;
  readonly file?: Program;
}

/** A ServiceAccount and a Deployment of the same name. */
export function app({
  namespace,
  name,
  app = name,
  version = "v1",
  replicas = 1,
  isOutside = false,
  file = "app.mjs",
}: AppOptions): KubeDocument[] {
  const labels = { app, version };
  const env = [
    { name: "VERSION", value: version },
    { name: "POD_NAME", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
  ];
  const container = {
    name: "app",
    command: ["node", `/app/${file}`],
    env,
    ports: [{ containerPort: 8080 }, { containerPort: 9000 }],
    readinessProbe: { httpGet: { path: "/", port: 8080 }, periodSeconds: 1 },
    volumeMounts: [{ name: "program", mountPath: "/app" }],
  };
  const template = {
    metadata: { labels: { ...labels, ...(isOutside ? { "meshctl.io/inject": "disabled" } : {}) } },
    spec: {
      serviceAccountName: name,
      terminationGracePeriodSeconds: 1,
      containers: [container],
      volumes: [{ name: "program", configMap: { name: "app" } }],
    },
  };
  return [
    { apiVersion: "v1", kind: "ServiceAccount", metadata: { name, namespace } },
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name, namespace },
      spec: { replicas, selector: { matchLabels: labels }, template },
    },
  ];
}

/** Port 80 is HTTP on 8080, port 9000 the TCP protocol. */
export function service(namespace: string, name: string, extra: KubeDocument = {}): KubeDocument {
  const ports = [
    { name: "http", port: 80, targetPort: 8080 },
    { name: "tcp", port: 9000, targetPort: 9000 },
  ];
  return { apiVersion: "v1", kind: "Service", metadata: { name, namespace }, spec: { selector: { app: name }, ports, ...extra } };
}

export function peerAuthentication(namespace: string, name: string, spec: KubeDocument): KubeDocument {
  return { apiVersion: "security.istio.io/v1", kind: "PeerAuthentication", metadata: { name, namespace }, spec };
}

export function destinationRule(namespace: string, name: string, spec: KubeDocument): KubeDocument {
  return { apiVersion: "networking.istio.io/v1", kind: "DestinationRule", metadata: { name, namespace }, spec };
}

/** Replaces a file as editors do: under another name first, then by rename. */
export function replaceFile(path: string, text: string): void {
  writeFileSync(`${path}.swp`, text);
  renameSync(`${path}.swp`, path);
}

/** JSON is YAML. */
export function writeDocuments(path: string, documents: readonly KubeDocument[]): void {
  replaceFile(path, documents.map((each) => JSON.stringify(each, undefined, 1)).join("\n---\n"));
}
