// Both sources behind one face, for the suite that they share: objects are put somewhere, and a snapshot comes out.
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../src/common/clock.ts";
import type { Clock } from "../../src/common/clock.ts";
import { createLog } from "../../src/common/log.ts";
import { dumpYaml, parseYamlDocuments } from "../../src/common/yaml.ts";
import { Ingest } from "../../src/control-plane/ingest/ingest.ts";
import { formatConfigProblem } from "../../src/control-plane/ingest/raw-object.ts";
import type { MeshSnapshot } from "../../src/control-plane/registry/mesh-snapshot.ts";
import { Registry } from "../../src/control-plane/registry/registry.ts";
import { DirectorySource } from "../../src/control-plane/sources/directory-source.ts";
import { KubernetesSource } from "../../src/control-plane/sources/kubernetes-source.ts";
import type { Source, SourceChange } from "../../src/control-plane/sources/source.ts";
import { loadKubeconfig } from "../../src/kube/cluster-config.ts";
import { ApiServer } from "./api-server/api-server.ts";
import { TEST_SETTINGS } from "./mesh-from-yaml.ts";

export type Manifest = Record<string, unknown> & { readonly metadata: { readonly name: string; readonly namespace?: string } };

export function manifests(yaml: string): Manifest[] {
  return parseYamlDocuments(yaml, "test").documents.map((each) => each.value as Manifest);
}

export interface SourceBed {
  readonly source: Source;
  /** Creates or replaces an object. */
  put(object: Manifest): void | Promise<void>;
  remove(object: Manifest): void | Promise<void>;
  close(): Promise<void>;
}

export async function directoryBed(): Promise<SourceBed> {
  const folder = mkdtempSync(join(tmpdir(), "meshctl-source-bed-"));
  const fileOf = ({ kind, metadata }: Manifest): string =>
    join(folder, `${String(kind)}_${metadata.namespace ?? ""}_${metadata.name}.yaml`);
  return {
    source: new DirectorySource([folder], systemClock),
    put(object) {
      mkdirSync(folder, { recursive: true });
      writeFileSync(`${fileOf(object)}~`, dumpYaml(object));
      renameSync(`${fileOf(object)}~`, fileOf(object));
    },
    remove: (object) => rmSync(fileOf(object)),
    close: async () => rmSync(folder, { recursive: true }),
  };
}

export interface ClusterBed extends SourceBed {
  put(object: Manifest): void;
  remove(object: Manifest): void;
  readonly server: ApiServer;
  /** Lines of the source's log. */
  readonly log: string[];
}

export async function clusterBed(clock: Clock = systemClock): Promise<ClusterBed> {
  const server = new ApiServer();
  await server.start();
  const folder = mkdtempSync(join(tmpdir(), "meshctl-cluster-bed-"));
  writeFileSync(join(folder, "config"), server.kubeconfig());
  const connection = loadKubeconfig({ kubeconfig: join(folder, "config"), context: undefined }, {});
  const log: string[] = [];
  const stream = { write: (line: string) => log.push(line) };
  return {
    server,
    log,
    source: new KubernetesSource({
      connection,
      clock,
      log: createLog({ level: "info", format: "text", stream }),
      rootNamespace: TEST_SETTINGS.rootNamespace,
    }),
    put(object) {
      try {
        server.create(object);
      } catch {
        server.replace(object);
      }
    },
    remove: (object) => server.delete(object),
    async close() {
      await server.stop();
      rmSync(folder, { recursive: true });
    },
  };
}

/** Source → ingest → registry, as the controller puts them together. */
export class SourceReader {
  readonly #registry = new Registry(TEST_SETTINGS);
  readonly #ingest = new Ingest(this.#registry, { onProblem: () => undefined, onSolved: () => undefined });
  /** How many changes each report had. */
  readonly reports: number[] = [];

  async start(source: Source): Promise<void> {
    await source.start((changes: readonly SourceChange[]) => {
      this.reports.push(changes.length);
      this.#ingest.apply(0, changes);
    });
  }

  get snapshot(): MeshSnapshot {
    return this.#registry.snapshot();
  }

  get problems(): string[] {
    return this.#ingest.problems().map(formatConfigProblem);
  }
}

/**
 * A snapshot as plain data, without what may differ: its own number, ages, their order and uids, which only a cluster knows, and
 * its API server.
 */
export function comparable(snapshot: MeshSnapshot): unknown {
  const services = new Map([...snapshot.services].filter(([host]) => host !== "kubernetes.default.svc.cluster.local"));
  const text = JSON.stringify({ ...snapshot, services, version: 0 }, (key, value: unknown) => {
    if (value instanceof Map) return [...(value as Map<string, unknown>)].sort(([a], [b]) => (a < b ? -1 : 1));
    if (Array.isArray(value) && value.every(hasMeta)) return value.toSorted((a, b) => (nameIn(a) < nameIn(b) ? -1 : 1));
    // Since Kubernetes 1.35 a pod has its node's topology labels.
    if (key.startsWith("topology.kubernetes.io/")) return undefined;
    return key === "createdMs" || key === "uid" ? undefined : value;
  });
  return JSON.parse(text) as unknown;
}

interface WithMeta {
  readonly meta: { readonly namespace: string; readonly name: string };
}

function hasMeta(value: unknown): value is WithMeta {
  return typeof value === "object" && value !== null && "meta" in value;
}

function nameIn({ meta }: WithMeta): string {
  return `${meta.namespace}/${meta.name}`;
}
