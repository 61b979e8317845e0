// The mesh's roots in every namespace, where a pod's sidecar reads them before it first calls: a ConfigMap that the leader
// keeps as it should be. A namespace that comes gets one at once; one that is changed or deleted is put right.
import { isDeepStrictEqual } from "node:util";
import { Backoff } from "../../common/backoff.ts";
import type { Clock } from "../../common/clock.ts";
import type { Logger } from "../../common/log.ts";
import { fromThrown } from "../../kube/api-error.ts";
import type { ClusterConnection } from "../../kube/cluster-connection.ts";
import type { Leadership } from "../../kube/lease.ts";
import { KubeObjects } from "../../kube/objects.ts";
import { Reflector } from "../../kube/reflector.ts";
import type { KubeObject, ResourceKind } from "../../kube/resource-kind.ts";
import { ROOT_CERTIFICATE_CONFIG_MAP } from "../../manifests/injected-containers.ts";
import { SYSTEM_NAMESPACES } from "../../manifests/injection-decision.ts";
import { INSTALLATION_LABEL } from "../../manifests/install/installation-label.ts";
import type { ControlMetrics } from "../admin/control-metrics.ts";

export interface TrustBundlesOptions {
  readonly connection: ClusterConnection;
  readonly leadership: Leadership;
  /** The mesh's. */
  readonly namespace: string;
  readonly rootsPem: string;
  readonly metrics: ControlMetrics;
  readonly clock: Clock;
  readonly log: Logger;
}

const NAMESPACES: ResourceKind = { group: "", versions: ["v1"], kind: "Namespace", plural: "namespaces" };
const CONFIG_MAPS: ResourceKind = { group: "", versions: ["v1"], kind: "ConfigMap", plural: "configmaps" };
const CONCURRENT_WRITES = 10;
const BACKOFF = { initialMs: 1_000, maxMs: 60_000 };

export class TrustBundles {
  readonly #options: TrustBundlesOptions;
  readonly #endListening: () => void;
  #keeper: BundleKeeper | undefined;

  /** Works whenever this replica leads, until stopped. */
  constructor(options: TrustBundlesOptions) {
    this.#options = options;
    this.#endListening = options.leadership.onChange((isLeader) => this.#lead(isLeader));
    this.#lead(options.leadership.current);
  }

  stop(): void {
    this.#endListening();
    this.#lead(false);
  }

  #lead(isLeader: boolean): void {
    this.#keeper?.stop();
    this.#keeper = isLeader ? new BundleKeeper(this.#options) : undefined;
  }
}

/** For as long as this replica leads. */
class BundleKeeper {
  readonly #options: TrustBundlesOptions;
  readonly #objects: KubeObjects;
  readonly #stopping = new AbortController();
  readonly #backoff = new Backoff(BACKOFF);
  readonly #namespaces = new Follower((name, object) => (isMeshable(name, object) ? this.#look(name) : undefined));
  readonly #bundles = new Follower((namespace) => this.#look(namespace));
  readonly #reflectors: readonly Reflector[];
  /** Namespaces to be looked at. */
  readonly #due = new Set<string>();
  readonly #retries = new Map<string, () => void>();
  #writes = 0;

  constructor(options: TrustBundlesOptions) {
    this.#options = options;
    const { connection, clock, log } = options;
    this.#objects = new KubeObjects({ connection, clock, signal: this.#stopping.signal });
    const follow = (kind: ResourceKind, follower: Follower, keyOf: (object: KubeObject) => string, fieldSelector?: string): Reflector =>
      new Reflector({
        ...{ connection, clock, kind, ...(fieldSelector === undefined ? {} : { fieldSelector }) },
        onReplace: (all) => {
          follower.replace(new Map(all.map((each) => [keyOf(each), each])));
          this.#work();
        },
        onChange: (type, object) => {
          follower.change(keyOf(object), type === "deleted" ? undefined : object);
          this.#work();
        },
        onTrouble: ({ message }) => log.warn(`can't keep ${ROOT_CERTIFICATE_CONFIG_MAP} in step: ${message}`),
        onRecovered: () => undefined,
      });
    this.#reflectors = [
      follow(NAMESPACES, this.#namespaces, ({ metadata }) => metadata.name),
      follow(CONFIG_MAPS, this.#bundles, ({ metadata }) => metadata.namespace ?? "", `metadata.name=${ROOT_CERTIFICATE_CONFIG_MAP}`),
    ];
    for (const each of this.#reflectors) each.start();
  }

  stop(): void {
    this.#stopping.abort();
    for (const each of this.#reflectors) each.stop();
    for (const cancel of this.#retries.values()) cancel();
  }

  #look(namespace: string): void {
    this.#retries.get(namespace)?.();
    this.#retries.delete(namespace);
    this.#due.add(namespace);
  }

  /** Not before both lists are there: what isn't known to be there would be made once more. */
  #work(): void {
    if (!this.#namespaces.isSynced || !this.#bundles.isSynced) return;
    for (const namespace of this.#due) {
      if (this.#stopping.signal.aborted || this.#writes >= CONCURRENT_WRITES) return;
      this.#due.delete(namespace);
      if (!isMeshable(namespace, this.#namespaces.get(namespace))) continue;
      const found = this.#bundles.get(namespace);
      const wanted = this.#wanted(namespace, found);
      if (found !== undefined && isDeepStrictEqual(toWritten(found), toWritten(wanted))) continue;
      this.#writes++;
      void this.#write(namespace, found, wanted).finally(() => {
        this.#writes--;
        this.#work();
      });
    }
  }

  #wanted(namespace: string, found: KubeObject | undefined): KubeObject {
    const { namespace: installation, rootsPem } = this.#options;
    const labels = { ...labelsOf(found), [INSTALLATION_LABEL]: installation };
    const metadata = { ...found?.metadata, name: ROOT_CERTIFICATE_CONFIG_MAP, namespace, labels };
    return { apiVersion: "v1", kind: "ConfigMap", metadata, data: { "root-cert.pem": rootsPem } };
  }

  async #write(namespace: string, found: KubeObject | undefined, wanted: KubeObject): Promise<void> {
    const { metrics, clock, log } = this.#options;
    try {
      const written = await (found === undefined ? this.#objects.create(wanted) : this.#objects.replace(wanted));
      metrics.trustBundleWrites++;
      this.#bundles.change(namespace, written);
      this.#backoff.reset();
      if (found !== undefined) log.info({ namespace }, `put ${ROOT_CERTIFICATE_CONFIG_MAP} right`);
    } catch (thrown) {
      const { code, reason, message, retryAfterMs = 0 } = fromThrown(thrown);
      // The watch tells what somebody else did meanwhile, or the namespace is going.
      if (this.#stopping.signal.aborted || code === 404 || code === 409) return;
      log.warn({ namespace, reason }, `can't write ${ROOT_CERTIFICATE_CONFIG_MAP}: ${message}`);
      const retry = (): void => {
        this.#look(namespace);
        this.#work();
      };
      this.#retries.set(namespace, clock.after(Math.max(this.#backoff.next(), retryAfterMs), retry));
    }
  }
}

/** Objects of a kind by a key, and which of them changed. */
class Follower {
  readonly #onChange: (key: string, object: KubeObject | undefined) => void;
  #objects: Map<string, KubeObject> | undefined;

  constructor(onChange: (key: string, object: KubeObject | undefined) => void) {
    this.#onChange = onChange;
  }

  get isSynced(): boolean {
    return this.#objects !== undefined;
  }

  get(key: string): KubeObject | undefined {
    return this.#objects?.get(key);
  }

  replace(objects: Map<string, KubeObject>): void {
    const keys = new Set([...(this.#objects?.keys() ?? []), ...objects.keys()]);
    this.#objects = objects;
    for (const key of keys) this.#onChange(key, objects.get(key));
  }

  change(key: string, object: KubeObject | undefined): void {
    if (object === undefined) this.#objects?.delete(key);
    else this.#objects?.set(key, object);
    this.#onChange(key, object);
  }
}

function isMeshable(name: string, namespace: KubeObject | undefined): boolean {
  if (namespace === undefined || SYSTEM_NAMESPACES.has(name)) return false;
  return (namespace.metadata as { readonly deletionTimestamp?: string }).deletionTimestamp === undefined;
}

function labelsOf(object: KubeObject | undefined): Readonly<Record<string, string>> {
  return (object?.metadata as { readonly labels?: Record<string, string> } | undefined)?.labels ?? {};
}

function toWritten(object: KubeObject): unknown {
  return [object["data"], object["binaryData"] ?? {}, labelsOf(object)];
}
