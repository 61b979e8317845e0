// Joins the state with the control plane: opens the channel that the bootstrap describes and runs the ADS client on it.
import { readFileSync } from "node:fs";
import { formatHostPort } from "../../common/address.ts";
import type { Clock } from "../../common/clock.ts";
import { AdsClient } from "../../xds/ads-client.ts";
import { connectGrpc } from "../../xds/grpc-channel.ts";
import type { GrpcChannel } from "../../xds/grpc-channel.ts";
import type { GrpcTls } from "../../xds/grpc-connection.ts";
import type { AdsConfig, BootstrapConfig } from "../config/bootstrap-config.ts";
import type { ProxyConfig } from "../config/proxy-config.ts";
import type { SecretConfig } from "../config/tls-config.ts";
import { XdsState } from "./xds-state.ts";

export interface XdsOptions {
  readonly bootstrap: BootstrapConfig;
  readonly wantsNames: boolean;
  readonly clock: Clock;
  readonly onConfig: (config: ProxyConfig) => void;
  readonly onConnection?: (isConnected: boolean) => void;
  readonly log: (level: "info" | "warn" | "error", message: string) => void;
}

export interface Xds {
  readonly state: XdsState;
  start(): void;
  /** Ends the stream; the last configuration stays in use. */
  stop(): void;
}

/** Without an ads_config the state alone, which hands out the static configuration. */
export function connectXds(options: XdsOptions): Xds {
  const { bootstrap } = options;
  const connection = bootstrap.ads === undefined ? undefined : openAds(bootstrap.ads, options, () => state);
  const state = new XdsState({ ...options, subscribe: (typeUrl, names) => connection?.client.subscribe(typeUrl, names) });
  return {
    state,
    start() {
      state.start();
      connection?.client.start();
    },
    stop() {
      connection?.client.close();
      connection?.channel.close();
      state.stop();
    },
  };
}

function openAds(
  ads: AdsConfig,
  { bootstrap, clock, log, onConnection }: XdsOptions,
  state: () => XdsState,
): { client: AdsClient; channel: GrpcChannel } {
  const place = `control plane ${formatHostPort(ads.address)}`;
  const channel = connectGrpc({
    address: ads.address,
    connectTimeoutMs: ads.connectTimeoutMs,
    ...(ads.tls === undefined
      ? {}
      : { tls: () => grpcTls(ads, (name) => bootstrap.statics.secrets.get(name) ?? state().identitySecret(name)) }),
  });
  const client = new AdsClient({
    channel,
    node: bootstrap.node,
    clock,
    metadata: () => streamMetadata(ads),
    onResponse: (typeUrl, version, resources) => state().onResponse(typeUrl, version, resources),
    onConnection: (connection) => {
      if (connection.connected) log("info", `connected to ${place}`);
      else log("warn", `no stream to ${place}: ${connection.reason}`);
      onConnection?.(connection.connected);
    },
  });
  return { client, channel };
}

function streamMetadata({ metadata, tokenFile }: AdsConfig): Readonly<Record<string, string>> {
  if (tokenFile === undefined) return metadata;
  return { ...metadata, authorization: `Bearer ${readFileSync(tokenFile, "utf8").trim()}` };
}

function grpcTls(ads: AdsConfig, findSecret: (name: string) => SecretConfig | undefined): GrpcTls {
  const validation = ads.tls?.validationSecret === undefined ? undefined : findSecret(ads.tls.validationSecret);
  // A sidecar has none until its control plane gave it one.
  const certificate = ads.tls?.certificateSecret === undefined ? undefined : findSecret(ads.tls.certificateSecret);
  const roots =
    ads.rootsFile !== undefined ? readFileSync(ads.rootsFile, "utf8") : validation?.kind === "validation" ? validation.rootsPem : "";
  return {
    roots,
    servername: ads.tls?.sni ?? ads.address.host,
    ...(certificate?.kind === "certificate" ? { cert: certificate.chainPem, key: certificate.keyPem } : {}),
  };
}
