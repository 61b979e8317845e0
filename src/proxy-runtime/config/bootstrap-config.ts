// What the proxy is told when it starts: who it is, its static configuration, and where the rest comes from. Made from an
// Envoy bootstrap (bootstrap.ts) or, in the sidecar form, from flags and environment (sidecar-bootstrap.ts).
import type { JsonObject } from "@bufbuild/protobuf";
import type { Problem } from "../../common/result.ts";
import type { AccessLogConfig } from "./access-log-config.ts";
import type { ProxyConfig } from "./proxy-config.ts";
import type { ResourceRecord } from "./resource-record.ts";
import type { UpstreamTlsConfig } from "./tls-config.ts";

export interface NodeConfig {
  readonly id: string;
  readonly cluster: string;
  readonly locality: { readonly region: string; readonly zone: string; readonly subZone: string };
  /** For the control plane, with the first request. */
  readonly metadata: JsonObject;
}

export interface AdsConfig {
  /** Name of the cluster the address was taken from, for messages and statistics. */
  readonly clusterName: string;
  /** A name or an IP. */
  readonly address: { readonly host: string; readonly port: number };
  /** undefined: plaintext. */
  readonly tls: UpstreamTlsConfig | undefined;
  /** Trusted roots, PEM, read anew for each connection; undefined: those of the TLS context's validation secret. */
  readonly rootsFile: string | undefined;
  /** A bearer token for each stream, read anew for each; undefined: none. */
  readonly tokenFile: string | undefined;
  /** Sent with each stream, lower-case names. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly connectTimeoutMs: number;
}

export interface BootstrapConfig {
  readonly node: NodeConfig;
  readonly statics: ProxyConfig;
  /** The static resources as they are shown in /config_dump. */
  readonly records: readonly ResourceRecord[];
  /** Secrets that static resources ask for over ADS. */
  readonly adsSecrets: readonly string[];
  /** Routes that static listeners ask for over ADS. */
  readonly adsRoutes: readonly string[];
  readonly admin: { readonly host: string; readonly port: number; readonly accessLogs: readonly AccessLogConfig[] } | undefined;
  readonly ads: AdsConfig | undefined;
  readonly cdsViaAds: boolean;
  readonly ldsViaAds: boolean;
  /** How long the first CDS and LDS are waited for before the proxy goes on without; 0: for ever. */
  readonly initialFetchTimeoutMs: number;
  /** Wire bytes of the whole envoy.config.bootstrap.v3.Bootstrap, for /config_dump. */
  readonly bytes: Uint8Array;
  readonly warnings: readonly Problem[];
}
