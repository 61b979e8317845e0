// One whole, consistent configuration of the proxy. Plain data that survives structuredClone; never changed once made.
import type { ClusterConfig } from "./cluster-config.ts";
import type { EndpointsConfig } from "./endpoint-config.ts";
import type { ListenerConfig } from "./listener-config.ts";
import type { RouteConfig } from "./route-config.ts";
import type { SecretConfig } from "./tls-config.ts";

export interface ProxyConfig {
  readonly clusters: ReadonlyMap<string, ClusterConfig>;
  /** By EDS service name. */
  readonly endpoints: ReadonlyMap<string, EndpointsConfig>;
  readonly listeners: ReadonlyMap<string, ListenerConfig>;
  readonly routes: ReadonlyMap<string, RouteConfig>;
  readonly secrets: ReadonlyMap<string, SecretConfig>;
  /** Host name (lower case, no trailing dot) → addresses, for DNS; from NDS. */
  readonly names: ReadonlyMap<string, readonly string[]>;
}

export const EMPTY_PROXY_CONFIG: ProxyConfig = {
  clusters: new Map(),
  endpoints: new Map(),
  listeners: new Map(),
  routes: new Map(),
  secrets: new Map(),
  names: new Map(),
};
