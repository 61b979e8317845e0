// Bootstrap message → BootstrapConfig: every static resource through the decoder that xDS uses too, then what only the
// bootstrap has: node, admin and where the dynamic resources come from.
import { toBinary } from "@bufbuild/protobuf";
import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import type { Problem, Result } from "../../common/result.ts";
import type { Bootstrap, Bootstrap_StaticResources } from "../../xds/gen/envoy/config/bootstrap/v3/bootstrap_pb.ts";
import { AdminSchema, BootstrapSchema } from "../../xds/gen/envoy/config/bootstrap/v3/bootstrap_pb.ts";
import { ClusterSchema } from "../../xds/gen/envoy/config/cluster/v3/cluster_pb.ts";
import { ListenerSchema } from "../../xds/gen/envoy/config/listener/v3/listener_pb.ts";
import { SecretSchema } from "../../xds/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts";
import { TypeUrl } from "../../xds/names.ts";
import { decodeAds } from "./bootstrap-ads.ts";
import type { BootstrapConfig, NodeConfig } from "./bootstrap-config.ts";
import { checkReferences } from "./bootstrap-references.ts";
import type { ClusterConfig } from "./cluster-config.ts";
import { decodeAccessLogs } from "./decode-access-log.ts";
import { decodeCluster } from "./decode-cluster.ts";
import { decodeListener } from "./decode-listener.ts";
import { decodeSecret } from "./decode-secret.ts";
import { durationMs, socketAddress } from "./decode-values.ts";
import type { Decoded } from "./decoding.ts";
import { Decoding, fieldRules } from "./decoding.ts";
import type { ListenerConfig } from "./listener-config.ts";
import type { ProxyConfig } from "./proxy-config.ts";
import type { ResourceRecord } from "./resource-record.ts";
import type { SecretConfig } from "./tls-config.ts";

const BOOTSTRAP = fieldRules(BootstrapSchema, ["node", "static_resources", "dynamic_resources", "admin"], {
  node_context_params: "for resource locators, which are refused",
  layered_runtime: "runtime values override defaults of Envoy's own code",
  stats_flush_interval: "for statistics sinks, which are refused",
  stats_flush_on_admin: "for statistics sinks, which are refused",
  enable_dispatcher_stats: "statistics only",
  deferred_stat_options: "statistics only",
  watchdog: "for threads of Envoy's",
  watchdogs: "for threads of Envoy's",
  cluster_manager: "settings of outlier logs and of zone aware routing, which clusters may not ask for",
  default_regex_engine: "RE2 is the only engine",
  memory_allocator_manager: "for Envoy's allocator",
  grpc_async_client_manager_config: "a cache of Envoy's",
});
const ADMIN = fieldRules(AdminSchema, ["access_log", "access_log_path", "address"], {
  profile_path: "there is no profiler",
  ignore_global_conn_limit: "there is no such limit",
});

/** @param now ms since the epoch, for the records. */
export function decodeBootstrap(bootstrap: Bootstrap, now: number): Result<BootstrapConfig> {
  const decoding = new Decoding();
  decoding.check(BOOTSTRAP, bootstrap, "");
  const statics = decodeStatics(decoding, bootstrap, now);
  const { ads, cdsViaAds, ldsViaAds } = decodeAds(decoding, bootstrap, statics.config);
  checkReferences(decoding, statics.config, statics.references, { ads, cdsViaAds });
  const admin = decodeAdmin(decoding, bootstrap);
  if ((cdsViaAds || ldsViaAds) && (bootstrap.node?.id ?? "") === "")
    decoding.problem("node.id", "missing; a control plane knows the proxy by it");
  const timeout = bootstrap.dynamicResources?.cdsConfig?.initialFetchTimeout;
  const initialFetchTimeoutMs = durationMs(decoding, timeout, "dynamic_resources.cds_config.initial_fetch_timeout", 15_000);
  const secrets = statics.references.flatMap((each) => each.secrets);
  const finished = decoding.finish(undefined);
  if (!finished.ok) return finished;
  return {
    ok: true,
    value: {
      node: decodeNode(bootstrap),
      statics: statics.config,
      records: statics.records,
      adsSecrets: [...new Set(secrets.filter((each) => each.source === "ads").map((each) => each.name))],
      adsRoutes: [...new Set(statics.references.flatMap((each) => each.routes))],
      admin,
      ads,
      cdsViaAds,
      ldsViaAds,
      initialFetchTimeoutMs,
      bytes: toBinary(BootstrapSchema, bootstrap),
      warnings: [...statics.warnings, ...finished.value.warnings],
    },
  };
}

function decodeNode(bootstrap: Bootstrap): NodeConfig {
  const node = bootstrap.node;
  const { region = "", zone = "", subZone = "" } = node?.locality ?? {};
  return { id: node?.id ?? "", cluster: node?.cluster ?? "", locality: { region, zone, subZone }, metadata: node?.metadata ?? {} };
}

function decodeAdmin(decoding: Decoding, bootstrap: Bootstrap): BootstrapConfig["admin"] {
  const admin = bootstrap.admin;
  if (admin === undefined) return undefined;
  decoding.check(ADMIN, admin, "admin");
  const accessLogs = [...decodeAccessLogs(decoding, admin.accessLog, "admin.access_log")];
  if (admin.accessLogPath !== "") accessLogs.push({ path: admin.accessLogPath, format: undefined });
  // No address, no admin server: as in Envoy.
  if (admin.address === undefined) return undefined;
  const address = socketAddress(decoding, admin.address, "admin.address", { names: false });
  return address === undefined
    ? undefined
    : { host: address.host, port: address.port, accessLogs: accessLogs.filter((each) => each.path !== "/dev/null") };
}

interface Statics {
  readonly config: ProxyConfig;
  readonly records: ResourceRecord[];
  readonly warnings: Problem[];
  readonly references: Decoded<unknown>["references"][];
}

function decodeStatics(decoding: Decoding, bootstrap: Bootstrap, now: number): Statics {
  const clusters = new Map<string, ClusterConfig>();
  const listeners = new Map<string, ListenerConfig>();
  const secrets = new Map<string, SecretConfig>();
  const config: ProxyConfig = { clusters, endpoints: new Map(), listeners, routes: new Map(), secrets, names: new Map() };
  const statics: Statics = { config, records: [], warnings: [], references: [] };
  const resources: Partial<Bootstrap_StaticResources> = bootstrap.staticResources ?? {};

  function take<Desc extends DescMessage, T extends { readonly name: string }>(
    list: readonly MessageShape<Desc>[] | undefined,
    field: string,
    schema: Desc,
    typeUrl: string,
    into: Map<string, T>,
    decode: (message: MessageShape<Desc>, path: string) => Result<Decoded<T>>,
  ): void {
    list?.forEach((message, index) => {
      const path = `static_resources.${field}[${index}]`;
      const result = decode(message, path);
      if (!result.ok) {
        for (const problem of result.problems) decoding.problem(problem.path, problem.message);
        return;
      }
      const { value, inlineSecrets, references, warnings } = result.value;
      if (into.has(value.name)) decoding.problem(`${path}.name`, `${JSON.stringify(value.name)} stands twice`);
      into.set(value.name, value);
      for (const secret of inlineSecrets) secrets.set(secret.name, secret);
      statics.references.push(references);
      statics.warnings.push(...warnings);
      const bytes = toBinary(schema, message);
      statics.records.push({ typeUrl, name: value.name, version: "", bytes, updatedAt: now, state: "static", error: undefined });
    });
  }

  take(resources.secrets, "secrets", SecretSchema, TypeUrl.secret, secrets, decodeSecret);
  take(resources.clusters, "clusters", ClusterSchema, TypeUrl.cluster, clusters, decodeCluster);
  take(resources.listeners, "listeners", ListenerSchema, TypeUrl.listener, listeners, decodeListener);
  return statics;
}
