// The configuration that is being pushed now: one snapshot, translated and encoded on demand, once per scope and once
// per proxy, whoever asks how often.
import { toBinary } from "@bufbuild/protobuf";
import type { Message } from "@bufbuild/protobuf";
import { encodeResource } from "../../xds/ads-resources.ts";
import type { EncodedResource, ResourceSet } from "../../xds/ads-resources.ts";
import { TypeUrl } from "../../xds/names.ts";
import type { MeshSnapshot } from "../registry/mesh-snapshot.ts";
import { outboundScope, scopeKey } from "../translate/outbound-scope.ts";
import { proxyView } from "../translate/proxy-view.ts";
import type { ProxyNode } from "../translate/proxy-view.ts";
import { RESOURCE_SCHEMAS } from "../translate/resources.ts";
import type { Resources } from "../translate/resources.ts";
import { translateInbound, translateOutbound } from "../translate/translate.ts";

const TYPE_URLS: Readonly<Record<keyof Resources, string>> = {
  clusters: TypeUrl.cluster,
  endpoints: TypeUrl.endpoints,
  listeners: TypeUrl.listener,
  routes: TypeUrl.route,
  nameTables: TypeUrl.nameTable,
};

type EncodedTypes = ReadonlyMap<string, ReadonlyMap<string, EncodedResource>>;

export class ConfigCache {
  #snapshot: MeshSnapshot;
  #outbound = new Map<string, EncodedTypes>();
  #perProxy = new Map<ProxyNode, ResourceSet>();
  readonly #epoch: string;

  /** @param epoch tells this run's versions from an earlier run's. */
  constructor(snapshot: MeshSnapshot, epoch: string) {
    this.#snapshot = snapshot;
    this.#epoch = epoch;
  }

  get snapshot(): MeshSnapshot {
    return this.#snapshot;
  }

  /** From now on this snapshot is what proxies get. */
  use(snapshot: MeshSnapshot): void {
    if (snapshot === this.#snapshot) return;
    this.#snapshot = snapshot;
    this.#outbound = new Map();
    this.#perProxy = new Map();
  }

  resourcesFor(node: ProxyNode): ResourceSet {
    let set = this.#perProxy.get(node);
    if (set === undefined) {
      const view = proxyView(this.#snapshot, node);
      const scope = outboundScope(view);
      const key = scopeKey(this.#snapshot, scope);
      let outbound = this.#outbound.get(key);
      if (outbound === undefined) {
        outbound = encode(translateOutbound(this.#snapshot, scope));
        this.#outbound.set(key, outbound);
      }
      set = { version: `${this.#epoch}/${this.#snapshot.version}`, types: join(outbound, encode(translateInbound(this.#snapshot, view))) };
      this.#perProxy.set(node, set);
    }
    return set;
  }

  forget(node: ProxyNode): void {
    this.#perProxy.delete(node);
  }
}

function encode(resources: Resources): EncodedTypes {
  const types = new Map<string, ReadonlyMap<string, EncodedResource>>();
  for (const kind of Object.keys(TYPE_URLS) as (keyof Resources)[]) {
    const encoded = new Map<string, EncodedResource>();
    for (const [name, message] of resources[kind] as ReadonlyMap<string, Message>) {
      encoded.set(name, encodeResource(TYPE_URLS[kind], name, toBinary(RESOURCE_SCHEMAS[kind], message)));
    }
    types.set(TYPE_URLS[kind], encoded);
  }
  return types;
}

function join(a: EncodedTypes, b: EncodedTypes): EncodedTypes {
  return new Map([...a].map(([typeUrl, resources]) => [typeUrl, new Map([...resources, ...(b.get(typeUrl) ?? [])])]));
}
