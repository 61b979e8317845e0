// The filter chains of one listener. Chains that do not change in an update keep their connections; connections of chains
// that are gone are drained.
import type { FilterChainConfig, ListenerConfig } from "../config/listener-config.ts";
import { compileFilterChains, type ConnectionFacts } from "./filter-chain-match.ts";
import type { ActiveConnection, FilterChain } from "./filter-chain.ts";
import { OpenConnections, type OpenMember } from "./open-connections.ts";

/** A connection that a chain has taken, in the chain's list. */
export interface ChainMember extends OpenMember {
  readonly active: ActiveConnection | undefined;
}

export class RuntimeChain {
  readonly chain: FilterChain;
  readonly key: string;
  readonly open = new OpenConnections<ChainMember>();

  constructor(chain: FilterChain, key: string) {
    this.chain = chain;
    this.key = key;
  }
}

export class ChainSet {
  readonly #make: (config: FilterChainConfig) => FilterChain;
  #chains: readonly RuntimeChain[] = [];
  #defaultChain: RuntimeChain | undefined = undefined;
  #choose: (facts: ConnectionFacts) => number = () => -1;
  /** Of earlier configurations, with connections that have not ended. */
  readonly #retired = new Set<RuntimeChain>();
  #isDraining = false;

  constructor(make: (config: FilterChainConfig) => FilterChain) {
    this.#make = make;
  }

  configure(config: ListenerConfig): void {
    const known = new Map<string, RuntimeChain[]>();
    for (const each of this.#current()) {
      const same = known.get(each.key);
      if (same === undefined) known.set(each.key, [each]);
      else same.push(each);
    }
    const take = (each: FilterChainConfig): RuntimeChain => {
      const key = keyOf(each);
      return known.get(key)?.shift() ?? new RuntimeChain(this.#make(each), key);
    };
    this.#chains = config.filterChains.map(take);
    this.#defaultChain = config.defaultFilterChain === undefined ? undefined : take(config.defaultFilterChain);
    this.#choose = compileFilterChains(config.filterChains);
    for (const gone of known.values()) for (const each of gone) this.#retire(each);
    if (this.#isDraining) for (const each of this.all()) each.chain.startDraining();
  }

  #retire(chain: RuntimeChain): void {
    chain.chain.startDraining();
    for (const { active } of chain.open.all()) active?.drain(Infinity);
    if (chain.open.size > 0) this.#retired.add(chain);
  }

  /** The chain for a connection; undefined where none takes it. */
  choose(facts: ConnectionFacts): RuntimeChain | undefined {
    const index = this.#choose(facts);
    return index < 0 ? this.#defaultChain : this.#chains[index];
  }

  drain(idleGraceMs: number): void {
    this.#isDraining = true;
    for (const chain of this.all()) {
      chain.chain.startDraining();
      for (const { active } of chain.open.all()) active?.drain(idleGraceMs);
    }
  }

  destroy(): void {
    for (const chain of this.all()) for (const { active } of chain.open.all()) active?.destroy();
  }

  get activeConnections(): number {
    return this.all().reduce((sum, chain) => sum + chain.open.size, 0);
  }

  /** A chain has taken a connection. One that comes while draining is served: its connection manager makes the first request the last. */
  onOpen(chain: RuntimeChain, member: ChainMember): void {
    chain.open.add(member);
    if (chain !== this.#defaultChain && !this.#chains.includes(chain)) this.#retired.add(chain);
  }

  onClosed(chain: RuntimeChain, member: ChainMember): void {
    chain.open.delete(member);
    if (chain.open.size === 0) this.#retired.delete(chain);
  }

  all(): RuntimeChain[] {
    return [...this.#current(), ...this.#retired];
  }

  #current(): RuntimeChain[] {
    return [...this.#chains, ...(this.#defaultChain === undefined ? [] : [this.#defaultChain])];
  }
}

/** For which addresses a chain is may change without an end to its connections: services come and go. */
function keyOf(config: FilterChainConfig): string {
  return JSON.stringify({ ...config, match: { ...config.match, destinationRanges: [] } });
}
