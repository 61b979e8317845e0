// Which filter chain a connection gets. Envoy's order: destination port, destination address, server name, transport
// protocol, application protocols, direct source address, source address, source port; at each step the most specific
// match wins and there is no way back to a less specific one.
import type { CidrConfig, FilterChainMatch } from "../config/listener-config.ts";
import { addressBytes, cidrContains, parseCidr, type Cidr } from "../../common/cidr.ts";
import type { Sniffed } from "../transport/sniff.ts";

export interface ConnectionFacts {
  readonly destinationIp: string;
  readonly destinationPort: number;
  readonly sourceIp: string;
  readonly sourcePort: number;
  readonly sniffed: Sniffed;
}

/** A predicate with a rank: the higher the more specific; -1 for no match. */
type Rank = (facts: ConnectionFacts) => number;

export interface MatchableChain {
  readonly match: FilterChainMatch;
}

/** Compiles a listener's chains; the result answers the index of the chosen one, or -1. */
export function compileFilterChains(chains: readonly MatchableChain[]): (facts: ConnectionFacts) => number {
  const compiled = chains.map((chain) => compileSteps(chain.match));
  return (facts) => {
    let candidates = compiled.map((_, index) => index);
    for (let step = 0; step < STEPS && candidates.length > 0; step += 1) {
      let best = -1;
      let survivors: number[] = [];
      for (const index of candidates) {
        const rank = compiled[index]![step]!(facts);
        if (rank < 0 || rank < best) continue;
        if (rank > best) {
          best = rank;
          survivors = [];
        }
        survivors.push(index);
      }
      candidates = survivors;
    }
    return candidates[0] ?? -1;
  };
}

const STEPS = 8;

function compileSteps(match: FilterChainMatch): readonly Rank[] {
  return [
    match.destinationPort === undefined ? anything : (facts) => (facts.destinationPort === match.destinationPort ? 1 : -1),
    ranges(match.destinationRanges, (facts) => facts.destinationIp),
    serverNames(match.serverNames),
    match.transportProtocol === undefined ? anything : (facts) => (facts.sniffed.transport === match.transportProtocol ? 1 : -1),
    applicationProtocols(match.applicationProtocols),
    ranges(match.directSourceRanges, (facts) => facts.sourceIp),
    ranges(match.sourceRanges, (facts) => facts.sourceIp),
    match.sourcePorts.length === 0 ? anything : (facts) => (match.sourcePorts.includes(facts.sourcePort) ? 1 : -1),
  ];
}

const anything: Rank = () => 0;

/** Longest prefix first. Whole addresses, of which there may be one for each service, are looked up. */
function ranges(configs: readonly CidrConfig[], addressOf: (facts: ConnectionFacts) => string): Rank {
  if (configs.length === 0) return anything;
  const all: Cidr[] = configs.map((each) => parseCidr(`${each.address}/${each.prefixLength}`)!);
  const isWhole = ({ bytes, prefixLength }: Cidr): boolean => prefixLength === bytes.length * 8;
  const whole = new Set(all.filter(isWhole).map(({ bytes }) => bytes.join()));
  const cidrs = all.filter((each) => !isWhole(each));
  return (facts) => {
    const address = addressOf(facts);
    const bytes = addressBytes(address);
    if (bytes !== undefined && whole.has(bytes.join())) return bytes.length * 8 + 1;
    return cidrs.reduce((best, cidr) => (cidrContains(cidr, address) ? Math.max(best, cidr.prefixLength + 1) : best), -1);
  };
}

/** Exact before the longest `*.suffix`. */
function serverNames(names: readonly string[]): Rank {
  if (names.length === 0) return anything;
  return (facts) => {
    const asked = facts.sniffed.serverName;
    let best = -1;
    for (const name of names) {
      if (name === asked) return 10000;
      if (name.startsWith("*.") && asked.endsWith(name.slice(1))) best = Math.max(best, name.length);
    }
    return best;
  };
}

/** The client's own order of preference decides. */
function applicationProtocols(protocols: readonly string[]): Rank {
  if (protocols.length === 0) return anything;
  return (facts) => {
    const offered = facts.sniffed.applicationProtocols;
    for (let index = 0; index < offered.length; index += 1) if (protocols.includes(offered[index]!)) return 1000 - index;
    return -1;
  };
}
