// A route configuration compiled for look-up: authority → virtual host → route. Immutable; replaced whole.
import { CONNECT_UPGRADE, type Upgrades } from "../config/upgrades.ts";
import type { HeaderEdits, RouteConfig, RouteEntry, VirtualHost, WeightedCluster } from "../config/route-config.ts";
import type { RequestHead } from "../http/stream.ts";
import { CompiledHeaderEdits } from "./header-edits.ts";
import { RetryConditions } from "./retry-conditions.ts";
import { RouteCondition } from "./route-matcher.ts";

export interface ClusterChoice {
  readonly cluster: string;
  readonly weight: number;
  readonly requestEdits: CompiledHeaderEdits;
  readonly responseEdits: CompiledHeaderEdits;
}

export interface CompiledRoute {
  readonly entry: RouteEntry;
  readonly virtualHost: VirtualHost;
  readonly condition: RouteCondition;
  /** Of a `route` action; empty for others. */
  readonly choices: readonly ClusterChoice[];
  readonly totalWeight: number;
  readonly retry: RetryConditions | undefined;
  /** Edits of the response where no cluster was chosen (redirect, direct response). */
  readonly responseEdits: CompiledHeaderEdits;
  /** undefined where the connection manager alone decides. */
  readonly upgrades: Upgrades | undefined;
  /** CONNECT ends here. */
  readonly terminatesConnect: boolean;
}

interface CompiledHost {
  readonly routes: readonly CompiledRoute[];
  /** Of CONNECT, which has no path that the others could match. */
  readonly connectRoutes: readonly CompiledRoute[];
}

export class RouteTable {
  readonly config: RouteConfig;
  readonly #exact = new Map<string, CompiledHost>();
  /** `*.example.com` and `example.*`, longest first, as Envoy prefers them. */
  readonly #suffixes: { readonly text: string; readonly host: CompiledHost }[] = [];
  readonly #prefixes: { readonly text: string; readonly host: CompiledHost }[] = [];
  #any: CompiledHost | undefined = undefined;
  /** What was looked up last: comparing is a third of hashing. */
  #lastAuthority: string | undefined = undefined;
  #lastHost: CompiledHost | undefined = undefined;

  constructor(config: RouteConfig) {
    this.config = config;
    for (const virtualHost of config.virtualHosts) {
      const routes = virtualHost.routes.map((route) => compileRoute(route, virtualHost, config));
      const isConnect = ({ entry }: CompiledRoute): boolean => entry.match.path.kind === "connect";
      const host: CompiledHost = { routes: routes.filter((each) => !isConnect(each)), connectRoutes: routes.filter(isConnect) };
      for (const domain of virtualHost.domains) this.#add(domain.toLowerCase(), host);
    }
    const longestFirst = (left: { text: string }, right: { text: string }): number => right.text.length - left.text.length;
    this.#suffixes.sort(longestFirst);
    this.#prefixes.sort(longestFirst);
  }

  #add(domain: string, host: CompiledHost): void {
    if (domain === "*") this.#any ??= host;
    else if (domain.startsWith("*")) this.#suffixes.push({ text: domain.slice(1), host });
    else if (domain.endsWith("*")) this.#prefixes.push({ text: domain.slice(0, -1), host });
    else if (!this.#exact.has(domain)) this.#exact.set(domain, host);
  }

  /** The first route of the authority's virtual host that the request fits. */
  match(head: RequestHead): CompiledRoute | undefined {
    const { authority } = head;
    const host = authority === this.#lastAuthority ? this.#lastHost : this.#hostOf(authority);
    if (host === undefined) return undefined;
    const mark = head.path.indexOf("?");
    const path = mark < 0 ? head.path : head.path.slice(0, mark);
    const routes = head.upgrade === CONNECT_UPGRADE ? host.connectRoutes : host.routes;
    for (let index = 0; index < routes.length; index += 1) {
      const route = routes[index]!;
      if (route.condition.fits(head, path)) return route;
    }
    return undefined;
  }

  #hostOf(authority: string): CompiledHost | undefined {
    const host = this.#find(authority);
    this.#lastAuthority = authority;
    this.#lastHost = host;
    return host;
  }

  #find(authority: string): CompiledHost | undefined {
    let name = this.config.ignorePortInHost ? withoutPort(authority) : authority;
    let host = this.#exact.get(name);
    if (host !== undefined) return host;
    name = name.toLowerCase();
    host = this.#exact.get(name);
    if (host !== undefined) return host;
    for (const suffix of this.#suffixes) if (name.length > suffix.text.length && name.endsWith(suffix.text)) return suffix.host;
    for (const prefix of this.#prefixes) if (name.length > prefix.text.length && name.startsWith(prefix.text)) return prefix.host;
    return this.#any;
  }
}

function withoutPort(authority: string): string {
  const colon = authority.lastIndexOf(":");
  return colon < 0 || authority.endsWith("]") ? authority : authority.slice(0, colon);
}

function compileRoute(entry: RouteEntry, virtualHost: VirtualHost, config: RouteConfig): CompiledRoute {
  const request: HeaderEdits[] = [entry.requestHeaders, virtualHost.requestHeaders, config.requestHeaders];
  const response: HeaderEdits[] = [entry.responseHeaders, virtualHost.responseHeaders, config.responseHeaders];
  const choices = entry.action.kind === "route" ? entry.action.clusters.map((each) => compileChoice(each, request, response)) : [];
  return {
    entry,
    virtualHost,
    condition: new RouteCondition(entry.match),
    choices,
    totalWeight: choices.reduce((sum, each) => sum + each.weight, 0),
    retry: entry.action.kind === "route" && entry.action.retry !== undefined ? new RetryConditions(entry.action.retry) : undefined,
    responseEdits: new CompiledHeaderEdits(response),
    upgrades: entry.action.kind === "route" ? entry.action.upgrades : undefined,
    terminatesConnect: entry.action.kind === "route" && entry.action.terminatesConnect,
  };
}

function compileChoice(each: WeightedCluster, request: readonly HeaderEdits[], response: readonly HeaderEdits[]): ClusterChoice {
  return {
    cluster: each.cluster,
    weight: each.weight,
    requestEdits: new CompiledHeaderEdits([each.requestHeaders, ...request]),
    responseEdits: new CompiledHeaderEdits([each.responseHeaders, ...response]),
  };
}

/** One of a route's clusters by weight. `random` is in [0, 1). */
export function chooseCluster(route: CompiledRoute, random: number): ClusterChoice {
  const { choices } = route;
  if (choices.length === 1) return choices[0]!;
  let rest = random * route.totalWeight;
  for (const choice of choices) {
    rest -= choice.weight;
    if (rest < 0) return choice;
  }
  return choices[choices.length - 1]!;
}
