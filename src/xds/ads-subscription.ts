// What one client wants of one type and what it has been sent, in the state-of-the-world variant of xDS: nonces, ACK
// and NACK, wildcards, names that don't exist yet. Decides what to send; sends nothing itself.
import type { DiscoveryRequest } from "./gen/envoy/service/discovery/v3/discovery_pb.ts";
import { TypeUrl } from "./names.ts";
import type { EncodedResource } from "./ads-resources.ts";

type Available = ReadonlyMap<string, EncodedResource>;

/** LDS and CDS responses carry everything, and absence deletes (xDS protocol, "Deleting Resources"). */
const WHOLE_STATE: ReadonlySet<string> = new Set([TypeUrl.cluster, TypeUrl.listener]);
/** Types for which a first request without names means all of them. */
const WILDCARD: ReadonlySet<string> = new Set([...WHOLE_STATE, TypeUrl.nameTable]);

export interface SubscriptionStatus {
  readonly typeUrl: string;
  /** Names asked for; undefined: all. */
  readonly names: readonly string[] | undefined;
  readonly sentVersion: string;
  readonly sentNonce: string;
  readonly ackedVersion: string;
  readonly ackedNonce: string;
  /** Message of the last response that was refused and not yet followed by an accepted one. */
  readonly refused: string | undefined;
}

export class AdsSubscription {
  readonly typeUrl: string;
  /** The next request is answered even if it asks for nothing new: EDS after CDS, because updated clusters warm until it comes. */
  answerNext = false;
  #all = false;
  #everNamed = false;
  #names = new Set<string>();
  /** Name → version, as last sent. */
  #sent = new Map<string, string>();
  #sentVersion = "";
  #sentNonce = "";
  #ackedVersion = "";
  #ackedNonce = "";
  #refused: string | undefined;

  constructor(typeUrl: string) {
    this.typeUrl = typeUrl;
  }

  status(): SubscriptionStatus {
    return {
      typeUrl: this.typeUrl,
      names: this.#all ? undefined : [...this.#names],
      sentVersion: this.#sentVersion,
      sentNonce: this.#sentNonce,
      ackedVersion: this.#ackedVersion,
      ackedNonce: this.#ackedNonce,
      refused: this.#refused,
    };
  }

  /**
   * Takes a request in.
   * @returns what has to be sent in answer; undefined: nothing.
   */
  onRequest(request: DiscoveryRequest, available: Available): EncodedResource[] | undefined {
    const first = this.#sentNonce === "" || request.responseNonce === "";
    // A request about an older response than the last: a newer one about that is under way.
    if (!first && request.responseNonce !== this.#sentNonce) return undefined;
    if (!first && request.errorDetail !== undefined) {
      this.#refused = request.errorDetail.message;
    } else if (!first) {
      this.#ackedNonce = request.responseNonce;
      this.#ackedVersion = this.#sentVersion;
      this.#refused = undefined;
    }
    const added = this.#subscribe(request.resourceNames);
    const answer = this.answerNext && request.errorDetail === undefined;
    if (answer) this.answerNext = false;
    if (first || answer) return this.#wanted(available);
    if (!added.all && added.names.length === 0) return undefined;
    if (WHOLE_STATE.has(this.typeUrl) || added.all) return this.#wanted(available);
    // Names that don't exist yet are remembered; nothing is sent for them now.
    const found = added.names.flatMap((name) => available.get(name) ?? []);
    return found.length > 0 ? found : undefined;
  }

  /** What has to be sent because the world changed; undefined: nothing. */
  onPush(available: Available): EncodedResource[] | undefined {
    // Nothing was ever answered: the client hasn't asked for anything of this type.
    if (this.#sentNonce === "") return undefined;
    const wanted = this.#wanted(available);
    const changed = wanted.filter((each) => this.#sent.get(each.name) !== each.version);
    const gone = this.#sent.size > wanted.length - changed.filter((each) => !this.#sent.has(each.name)).length;
    if (WHOLE_STATE.has(this.typeUrl)) return changed.length > 0 || gone ? wanted : undefined;
    // No deletion signal here; but what comes back later has to be sent again.
    if (gone) for (const name of this.#sent.keys()) if (!available.has(name)) this.#sent.delete(name);
    return changed.length > 0 ? changed : undefined;
  }

  onSent(resources: readonly EncodedResource[], version: string, nonce: string): void {
    if (WHOLE_STATE.has(this.typeUrl)) this.#sent.clear();
    for (const each of resources) this.#sent.set(each.name, each.version);
    this.#sentVersion = version;
    this.#sentNonce = nonce;
  }

  #wanted(available: Available): EncodedResource[] {
    if (this.#all) return [...available.values()];
    return [...this.#names].flatMap((name) => available.get(name) ?? []);
  }

  #subscribe(requested: readonly string[]): { readonly all: boolean; readonly names: readonly string[] } {
    // No names: everything, for the types that have that, until a name has been given; from then on, nothing.
    const legacyWildcard = requested.length === 0 && !this.#everNamed && WILDCARD.has(this.typeUrl);
    const all = legacyWildcard || requested.includes("*");
    const names = new Set(requested.filter((each) => each !== "*"));
    if (requested.length > 0) this.#everNamed = true;
    const added = { all: all && !this.#all, names: [...names].filter((each) => !this.#names.has(each)) };
    for (const name of this.#names) if (!names.has(name) && !all) this.#sent.delete(name);
    this.#all = all;
    this.#names = names;
    return added;
  }
}
