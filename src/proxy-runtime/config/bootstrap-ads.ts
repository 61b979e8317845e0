// dynamic_resources of a bootstrap: the one ADS stream, and which types come over it.
import type { Bootstrap } from "../../xds/gen/envoy/config/bootstrap/v3/bootstrap_pb.ts";
import { Bootstrap_DynamicResourcesSchema } from "../../xds/gen/envoy/config/bootstrap/v3/bootstrap_pb.ts";
import type { ApiConfigSource, ConfigSource } from "../../xds/gen/envoy/config/core/v3/config_source_pb.ts";
import {
  ApiConfigSource_ApiType as ApiType,
  ApiConfigSourceSchema,
  ApiVersion,
} from "../../xds/gen/envoy/config/core/v3/config_source_pb.ts";
import { GrpcService_EnvoyGrpcSchema, GrpcServiceSchema } from "../../xds/gen/envoy/config/core/v3/grpc_service_pb.ts";
import type { AdsConfig, BootstrapConfig } from "./bootstrap-config.ts";
import type { Decoding } from "./decoding.ts";
import { fieldRules, join } from "./decoding.ts";
import type { ProxyConfig } from "./proxy-config.ts";
import type { UpstreamTlsConfig } from "./tls-config.ts";

const DYNAMIC = fieldRules(Bootstrap_DynamicResourcesSchema, ["lds_config", "cds_config", "ads_config"]);
const API = fieldRules(ApiConfigSourceSchema, ["api_type", "transport_api_version", "grpc_services"], {
  set_node_on_first_message_only: "the node is sent with the first message only, always",
  rate_limit_settings: "the proxy sends one request for each response",
  refresh_delay: "for polling",
  request_timeout: "for polling",
});
const SERVICE = fieldRules(GrpcServiceSchema, ["envoy_grpc", "initial_metadata"], { timeout: "Envoy too ignores it for streams" });
const ENVOY_GRPC = fieldRules(GrpcService_EnvoyGrpcSchema, ["cluster_name"], {
  max_receive_message_length: "the client has a bound of its own",
  skip_envoy_headers: "no x-envoy header is sent",
});

type Dynamic = Pick<BootstrapConfig, "ads" | "cdsViaAds" | "ldsViaAds">;

export function decodeAds(decoding: Decoding, bootstrap: Bootstrap, statics: ProxyConfig): Dynamic {
  const dynamic = bootstrap.dynamicResources;
  if (dynamic === undefined) return { ads: undefined, cdsViaAds: false, ldsViaAds: false };
  decoding.check(DYNAMIC, dynamic, "dynamic_resources");
  const ads = dynamic.adsConfig === undefined ? undefined : decodeApi(decoding, dynamic.adsConfig, "dynamic_resources.ads_config", statics);
  const cdsViaAds = viaAds(decoding, dynamic.cdsConfig, "dynamic_resources.cds_config");
  const ldsViaAds = viaAds(decoding, dynamic.ldsConfig, "dynamic_resources.lds_config");
  if ((cdsViaAds || ldsViaAds) && dynamic.adsConfig === undefined)
    decoding.problem("dynamic_resources.ads_config", "missing; cds_config or lds_config asks for ads");
  return { ads, cdsViaAds, ldsViaAds };
}

function viaAds(decoding: Decoding, source: ConfigSource | undefined, path: string): boolean {
  const specifier = source?.configSourceSpecifier.case;
  if (source !== undefined && specifier !== "ads") decoding.unsupported(path, "only ads");
  return specifier === "ads";
}

function decodeApi(decoding: Decoding, api: ApiConfigSource, path: string, statics: ProxyConfig): AdsConfig | undefined {
  decoding.check(API, api, path);
  if (api.apiType !== ApiType.GRPC) decoding.unsupported(join(path, "api_type"), "only GRPC");
  if (api.transportApiVersion !== ApiVersion.V3) decoding.problem(join(path, "transport_api_version"), "must be V3");
  const service = api.grpcServices[0];
  const servicePath = `${join(path, "grpc_services")}[0]`;
  if (service === undefined) decoding.problem(join(path, "grpc_services"), "must not be empty");
  if (api.grpcServices.length > 1) decoding.unsupported(join(path, "grpc_services"), "more than one");
  if (service === undefined) return undefined;
  decoding.check(SERVICE, service, servicePath);
  if (service.targetSpecifier.case !== "envoyGrpc") {
    if (service.targetSpecifier.case === undefined) decoding.problem(join(servicePath, "envoy_grpc"), "missing");
    return undefined;
  }
  const inner = join(servicePath, "envoy_grpc");
  decoding.check(ENVOY_GRPC, service.targetSpecifier.value, inner);
  const metadata = Object.fromEntries(service.initialMetadata.map((header) => [header.key.toLowerCase(), header.value]));
  return fromCluster(decoding, service.targetSpecifier.value.clusterName, statics, metadata, join(inner, "cluster_name"));
}

function fromCluster(
  decoding: Decoding,
  clusterName: string,
  statics: ProxyConfig,
  metadata: Readonly<Record<string, string>>,
  path: string,
): AdsConfig | undefined {
  const cluster = statics.clusters.get(clusterName);
  const endpoint = cluster?.staticEndpoints?.localities.flatMap((each) => each.endpoints)[0];
  if (cluster === undefined) {
    // With other problems the cluster may be there, only not decoded.
    if (!decoding.failed) decoding.problem(path, `no static cluster ${JSON.stringify(clusterName)}`);
    return undefined;
  }
  if (endpoint === undefined) {
    decoding.problem(path, `cluster ${JSON.stringify(clusterName)} has no endpoint in its load_assignment`);
    return undefined;
  }
  if (cluster.protocol !== "http2") {
    const hint = "set http2_protocol_options in its HttpProtocolOptions";
    decoding.problem(path, `cluster ${JSON.stringify(clusterName)} must speak HTTP/2: ${hint}`);
  }
  if (cluster.tls !== undefined) checkTls(decoding, cluster.tls, statics.secrets, path);
  return {
    clusterName,
    address: { host: endpoint.address, port: endpoint.port },
    tls: cluster.tls,
    metadata,
    connectTimeoutMs: cluster.connectTimeoutMs,
    rootsFile: undefined,
    tokenFile: undefined,
  };
}

/** What the gRPC client can do: roots that are there from the start, and the host name that a certificate must carry. */
function checkTls(decoding: Decoding, tls: UpstreamTlsConfig, secrets: ProxyConfig["secrets"], path: string): void {
  const validation = tls.validationSecret === undefined ? undefined : secrets.get(tls.validationSecret);
  if (validation?.kind !== "validation") decoding.problem(path, "its TLS needs a validation_context or a static secret with trusted_ca");
  else if (validation.sanMatches.length + tls.sanMatches.length > 0) {
    decoding.unsupported(path, "its TLS matches subject alternative names; set sni to a name that the certificate carries");
  }
  if (tls.certificateSecret !== undefined && !secrets.has(tls.certificateSecret)) {
    decoding.problem(path, "the certificate of its TLS must stand inline or be a static secret");
  }
}
