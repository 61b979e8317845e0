// What came over ADS and what follows from it: keeps the accepted resources, says which names to subscribe to, and lets the
// snapshot builder hand out configurations. The control plane may go away at any time: the last good configuration stays.
import type { Clock } from "../../common/clock.ts";
import type { Problem } from "../../common/result.ts";
import { NAME_TABLE_RESOURCE, TypeUrl } from "../../xds/names.ts";
import type { BootstrapConfig } from "../config/bootstrap-config.ts";
import type { ClusterConfig } from "../config/cluster-config.ts";
import type { References } from "../config/decoding.ts";
import type { ListenerConfig } from "../config/listener-config.ts";
import type { ProxyConfig } from "../config/proxy-config.ts";
import { EMPTY_PROXY_CONFIG } from "../config/proxy-config.ts";
import type { ResourceRecord } from "../config/resource-record.ts";
import type { SecretConfig } from "../config/tls-config.ts";
import { ResourceCache } from "./resource-cache.ts";
import { CLUSTERS, ENDPOINTS, LISTENERS, NAMES, ROUTES, SECRETS } from "./resource-kinds.ts";
import type { Accepted } from "./snapshot-builder.ts";
import { SnapshotBuilder } from "./snapshot-builder.ts";

// Envoy's timer for a resource that was asked for and does not come.
const DOES_NOT_EXIST_MS = 15_000;

export interface XdsStateOptions {
  readonly bootstrap: BootstrapConfig;
  /** Whether to ask for the names that the sidecar's DNS answers. */
  readonly wantsNames: boolean;
  readonly clock: Clock;
  /** Each new whole configuration. Unchanged resources and maps are the very same objects as before. */
  readonly onConfig: (config: ProxyConfig) => void;
  /** The names that are wanted of a type; hand it to the ADS client. Not called without an ads_config. */
  readonly subscribe: (typeUrl: string, names: "*" | readonly string[]) => void;
  readonly log: (level: "info" | "warn" | "error", message: string) => void;
}

export class XdsState {
  readonly #options: XdsStateOptions;
  readonly #builder: SnapshotBuilder;
  readonly #clusters: ResourceCache<ClusterConfig>;
  readonly #listeners: ResourceCache<ListenerConfig>;
  readonly #routes = new ResourceCache(ROUTES);
  readonly #endpoints = new ResourceCache(ENDPOINTS);
  readonly #secrets = new ResourceCache(SECRETS);
  readonly #names = new ResourceCache(NAMES);
  readonly #versions = new Map<string, string>();
  /** Types whose first response is still waited for before anything is handed out. */
  readonly #awaited = new Set<string>();
  #identitySecrets: ReadonlyMap<string, SecretConfig> = new Map();
  #isScheduled = false;
  #isStopped = false;
  #cancelInitial: () => void = () => {};

  constructor(options: XdsStateOptions) {
    this.#options = options;
    const { statics, adsRoutes, adsSecrets } = options.bootstrap;
    this.#clusters = new ResourceCache(CLUSTERS, ({ references }, name) =>
      statics.clusters.has(name) ? "a static cluster has this name" : this.#missingStaticSecret(references),
    );
    this.#listeners = new ResourceCache(LISTENERS, ({ references }, name) =>
      statics.listeners.has(name) ? "a static listener has this name" : this.#missingStaticSecret(references),
    );
    this.#builder = new SnapshotBuilder({
      statics,
      staticRoutes: adsRoutes,
      staticSecrets: adsSecrets,
      clock: options.clock,
      doesNotExistMs: DOES_NOT_EXIST_MS,
      onConfig: options.onConfig,
      onDeadline: () => this.#onDeadline(),
    });
  }

  /** Subscribes to what the bootstrap asks for, and hands out the static configuration if there is nothing else to wait for. */
  start(): void {
    const { bootstrap, subscribe, clock, log } = this.#options;
    if (bootstrap.cdsViaAds) this.#awaited.add(TypeUrl.cluster);
    if (bootstrap.ldsViaAds) this.#awaited.add(TypeUrl.listener);
    for (const typeUrl of this.#awaited) subscribe(typeUrl, "*");
    if (this.#options.wantsNames && bootstrap.ads !== undefined) subscribe(TypeUrl.nameTable, [NAME_TABLE_RESOURCE]);
    if (this.#awaited.size > 0 && bootstrap.initialFetchTimeoutMs > 0) {
      this.#cancelInitial = clock.after(bootstrap.initialFetchTimeoutMs, () => {
        log("warn", `no configuration came within ${bootstrap.initialFetchTimeoutMs} ms; going on with the static one`);
        this.#awaited.clear();
        this.#settle();
      });
    }
    this.#settle();
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelInitial();
    this.#builder.stop();
  }

  /** A response of the control plane. No problem: accepted. The good resources of a refused response are used all the same. */
  onResponse(typeUrl: string, version: string, resources: readonly Uint8Array[]): readonly Problem[] {
    const cache = this.#caches().find((each) => each.kind.typeUrl === typeUrl);
    if (cache === undefined) return [{ path: "type_url", message: `unknown type ${typeUrl}` }];
    const { problems, warnings } = cache.accept(version, resources, this.#options.clock.now());
    for (const { path, message } of warnings) this.#options.log("warn", `${path}: ${message}`);
    for (const { path, message } of problems)
      this.#options.log("error", `refused ${typeUrl.slice(typeUrl.lastIndexOf(".") + 1)} ${path}: ${message}`);
    if (problems.length === 0) this.#versions.set(typeUrl, version);
    this.#awaited.delete(typeUrl);
    if (this.#awaited.size === 0) this.#cancelInitial();
    this.#subscribeToReferences();
    this.#schedule();
    return problems;
  }

  /** Of what setSecrets() was last called with. */
  identitySecret(name: string): SecretConfig | undefined {
    return this.#identitySecrets.get(name);
  }

  /** The proxy's own certificate and roots; each call replaces the ones before. */
  setSecrets(secrets: readonly SecretConfig[]): void {
    this.#identitySecrets = new Map(secrets.map((each) => [each.name, each]));
    this.#schedule();
  }

  /** The configuration in use; undefined before the first. */
  get config(): ProxyConfig | undefined {
    return this.#builder.config;
  }

  /** First clusters and listeners are there and in use. */
  isReady(): boolean {
    return this.#awaited.size === 0 && this.#builder.config !== undefined;
  }

  /** What a configuration is waited with for, such as `endpoints outbound|80||a.b`; empty when it is whole. */
  missing(): readonly string[] {
    return [
      ...[...this.#awaited].map((each) => `first ${each.slice(each.lastIndexOf(".") + 1)} response`),
      ...this.#builder.missing(this.#accepted()),
    ];
  }

  /** Version of the last accepted response by type URL. */
  versions(): ReadonlyMap<string, string> {
    return this.#versions;
  }

  records(): readonly ResourceRecord[] {
    const config = this.#builder.config ?? EMPTY_PROXY_CONFIG;
    return [
      ...this.#options.bootstrap.records,
      ...this.#clusters.records((name, value) => config.clusters.get(name) === value),
      ...this.#endpoints.records((name, value) => config.endpoints.get(name) === value),
      ...this.#listeners.records((name, value) => config.listeners.get(name) === value),
      ...this.#routes.records((name, value) => config.routes.get(name) === value),
      ...this.#secrets.records((name, value) => config.secrets.get(name) === value),
      ...this.#names.records((_, value) => config.names === value),
    ];
  }

  #caches(): readonly ResourceCache<unknown>[] {
    return [
      this.#clusters,
      this.#endpoints,
      this.#listeners,
      this.#routes,
      this.#secrets,
      this.#names,
    ] as readonly ResourceCache<unknown>[];
  }

  #accepted(): Accepted {
    return {
      clusters: this.#clusters.entries,
      listeners: this.#listeners.entries,
      routes: this.#routes.entries,
      endpoints: this.#endpoints.entries,
      secrets: this.#secrets.entries,
      names: this.#names.entries.get(NAME_TABLE_RESOURCE)?.value ?? EMPTY_PROXY_CONFIG.names,
      identitySecrets: this.#identitySecrets,
    };
  }

  #missingStaticSecret(references: References): string | undefined {
    const missing = references.secrets.find(
      ({ source, name }) => source === "static" && !this.#options.bootstrap.statics.secrets.has(name),
    );
    return missing === undefined ? undefined : `${missing.path}: no static secret ${JSON.stringify(missing.name)}`;
  }

  #onDeadline(): void {
    this.#options.log("warn", "something that the configuration refers to did not come in time; it is taken as not existing");
    this.#schedule();
  }

  /** Responses that arrive in one read make one configuration. */
  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      if (!this.#isStopped) this.#settle();
    });
  }

  #settle(): void {
    if (this.#awaited.size === 0) this.#builder.consider(this.#accepted());
    // What the last structure referred to may be needed no more.
    const wanted = this.#subscribeToReferences();
    if (wanted === undefined) return;
    this.#endpoints.retain(wanted.endpoints);
    this.#routes.retain(wanted.routes);
    this.#secrets.retain(wanted.secrets);
  }

  #subscribeToReferences(): ReturnType<SnapshotBuilder["wanted"]> | undefined {
    if (this.#options.bootstrap.ads === undefined) return undefined;
    const wanted = this.#builder.wanted(this.#accepted());
    const { subscribe } = this.#options;
    subscribe(TypeUrl.endpoints, [...wanted.endpoints].sort());
    subscribe(TypeUrl.route, [...wanted.routes].sort());
    subscribe(TypeUrl.secret, [...wanted.secrets].sort());
    return wanted;
  }
}
