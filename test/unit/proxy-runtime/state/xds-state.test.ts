// The order of what comes over ADS against what is handed out: whole sets only, nothing broken in between.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { BootstrapConfig } from "../../../../src/proxy-runtime/config/bootstrap-config.ts";
import type { ProxyConfig } from "../../../../src/proxy-runtime/config/proxy-config.ts";
import { EMPTY_PROXY_CONFIG } from "../../../../src/proxy-runtime/config/proxy-config.ts";
import { XdsState } from "../../../../src/proxy-runtime/state/xds-state.ts";
import { TypeUrl } from "../../../../src/xds/names.ts";
import { ManualClock, settle } from "../../../support/manual-clock.ts";
import {
  any,
  ADS,
  assignment,
  cluster,
  connectionManager,
  edsCluster,
  endpoints,
  listener,
  names,
  rdsListener,
  route,
  routeTo,
  secret,
} from "../../../support/xds-resources.ts";

const BOOTSTRAP: BootstrapConfig = {
  node: { id: "n", cluster: "", locality: { region: "", zone: "", subZone: "" }, metadata: {} },
  statics: EMPTY_PROXY_CONFIG,
  records: [],
  adsSecrets: [],
  adsRoutes: [],
  admin: undefined,
  ads: {
    clusterName: "xds",
    address: { host: "127.0.0.1", port: 1 },
    tls: undefined,
    metadata: {},
    connectTimeoutMs: 1,
    rootsFile: undefined,
    tokenFile: undefined,
  },
  cdsViaAds: true,
  ldsViaAds: true,
  initialFetchTimeoutMs: 0,
  bytes: new Uint8Array(),
  warnings: [],
};

function start(bootstrap: Partial<BootstrapConfig> = {}) {
  const clock = new ManualClock();
  const configs: ProxyConfig[] = [];
  const subscriptions = new Map<string, "*" | readonly string[]>();
  const logged: string[] = [];
  const state = new XdsState({
    bootstrap: { ...BOOTSTRAP, ...bootstrap },
    wantsNames: true,
    clock,
    onConfig: (config) => configs.push(config),
    subscribe: (typeUrl, wanted) => subscriptions.set(typeUrl, wanted),
    log: (_, message) => logged.push(message),
  });
  state.start();
  let version = 0;
  const give = async (typeUrl: string, ...resources: Uint8Array[]) => {
    const problems = state.onResponse(typeUrl, `v${++version}`, resources);
    await settle();
    return problems;
  };
  return { state, clock, configs, subscriptions, logged, give, last: () => configs.at(-1) };
}

/** A proxy that runs with one cluster, one listener and one route. */
async function running() {
  const proxy = start();
  await proxy.give(TypeUrl.cluster, cluster(edsCluster("a")));
  await proxy.give(TypeUrl.endpoints, endpoints(assignment("a", "10.0.0.1")));
  await proxy.give(TypeUrl.listener, listener(rdsListener("l", "r")));
  await proxy.give(TypeUrl.route, route(routeTo("r", "a")));
  assert.equal(proxy.configs.length, 1);
  return proxy;
}

describe("XdsState", () => {
  test("subscribes to clusters, listeners and names at start", () => {
    const { subscriptions } = start();
    assert.equal(subscriptions.get(TypeUrl.cluster), "*");
    assert.equal(subscriptions.get(TypeUrl.listener), "*");
    assert.deepEqual(subscriptions.get(TypeUrl.nameTable), ["nds"]);
  });

  test("hands out nothing before clusters, endpoints, listeners and routes are there", async () => {
    const { state, configs, subscriptions, give } = start();
    await give(TypeUrl.cluster, cluster(edsCluster("a", { eds_cluster_config: { eds_config: ADS, service_name: "a-eds" } })));
    assert.deepEqual(subscriptions.get(TypeUrl.endpoints), ["a-eds"]);
    await give(TypeUrl.endpoints, endpoints(assignment("a-eds", "10.0.0.1")));
    assert.equal(configs.length, 0);
    await give(TypeUrl.listener, listener(rdsListener("l", "r")));
    assert.deepEqual(subscriptions.get(TypeUrl.route), ["r"]);
    assert.equal(configs.length, 0);
    assert.equal(state.isReady(), false);
    assert.deepEqual(state.missing(), ["routes r"]);
    await give(TypeUrl.route, route(routeTo("r", "a")));
    assert.equal(configs.length, 1);
    assert.equal(state.isReady(), true);
    assert.deepEqual([...configs[0]!.endpoints.keys()], ["a-eds"]);
    assert.deepEqual([...configs[0]!.routes.keys()], ["r"]);
  });

  test("keeps unchanged resources and maps the very same objects", async () => {
    const { give, configs } = await running();
    await give(TypeUrl.cluster, cluster(edsCluster("a")), cluster({ name: "b", connect_timeout: "1s" }));
    assert.equal(configs.length, 2);
    const [first, second] = configs as [ProxyConfig, ProxyConfig];
    assert.notEqual(first.clusters, second.clusters);
    assert.equal(first.clusters.get("a"), second.clusters.get("a"));
    assert.equal(first.endpoints, second.endpoints);
    assert.equal(first.listeners, second.listeners);
    await give(TypeUrl.cluster, cluster(edsCluster("a")), cluster({ name: "b", connect_timeout: "1s" }));
    assert.equal(configs.length, 2, "the same again is no new configuration");
  });

  test("waits with a changed structure until it is whole, and lets endpoints through meanwhile", async () => {
    const { give, configs, last } = await running();
    await give(TypeUrl.cluster, cluster(edsCluster("a")), cluster(edsCluster("new")));
    await give(TypeUrl.route, route(routeTo("r", "new")));
    assert.equal(configs.length, 1, "neither the cluster nor the route that leads to it");
    await give(TypeUrl.endpoints, endpoints(assignment("a", "10.0.0.2")));
    assert.equal(last()!.endpoints.get("a")!.localities[0]!.endpoints[0]!.address, "10.0.0.2");
    assert.equal(last()!.clusters.has("new"), false);
    await give(TypeUrl.endpoints, endpoints(assignment("new", "10.0.0.3")));
    assert.equal(last()!.clusters.has("new"), true);
    const action = last()!.routes.get("r")!.virtualHosts[0]!.routes[0]!.action;
    assert.equal(action.kind === "route" && action.clusters[0]!.cluster, "new");
  });

  test("takes endpoints that do not come within 15 s as not existing", async () => {
    const { give, clock, configs, last, logged } = await running();
    await give(TypeUrl.cluster, cluster(edsCluster("a")), cluster(edsCluster("lost")));
    await clock.advance(14_999);
    assert.equal(configs.length, 1);
    await clock.advance(2);
    assert.equal(last()!.clusters.has("lost"), true);
    assert.equal(last()!.endpoints.has("lost"), false);
    assert.match(logged.at(-1)!, /did not come in time/);
  });

  test("keeps a removed cluster until no route leads there", async () => {
    const { give, last, subscriptions } = await running();
    await give(TypeUrl.cluster, cluster(edsCluster("b")));
    await give(TypeUrl.endpoints, endpoints(assignment("b", "10.0.0.9")));
    assert.deepEqual([...last()!.clusters.keys()].sort(), ["a", "b"]);
    assert.equal(last()!.endpoints.has("a"), true);
    await give(TypeUrl.route, route(routeTo("r", "b")));
    assert.deepEqual([...last()!.clusters.keys()], ["b"]);
    assert.deepEqual([...last()!.endpoints.keys()], ["b"]);
    assert.deepEqual(subscriptions.get(TypeUrl.endpoints), ["b"]);
  });

  test("drops a removed cluster after 15 s even though routes still lead there", async () => {
    const { give, last, clock } = await running();
    await give(TypeUrl.cluster, cluster({ name: "b" }));
    assert.equal(last()!.clusters.has("a"), true);
    await clock.advance(15_001);
    assert.deepEqual([...last()!.clusters.keys()], ["b"]);
  });

  test("refuses a response with a bad resource, takes its good ones and keeps the last good one of the bad", async () => {
    const { state, give, last } = await running();
    const problems = await give(
      TypeUrl.cluster,
      cluster(edsCluster("a", { lb_policy: "MAGLEV", connect_timeout: "0s" })),
      cluster({ name: "good" }),
    );
    assert.deepEqual(
      problems.map(({ path, message }) => `${path}: ${message}`),
      ["a: connect_timeout: must be above 0", "a: lb_policy: not supported: MAGLEV; use ROUND_ROBIN, LEAST_REQUEST or RANDOM"],
    );
    assert.deepEqual([...last()!.clusters.keys()].sort(), ["a", "good"]);
    assert.equal(last()!.clusters.get("a")!.lbPolicy, "round_robin");
    assert.equal(state.versions().get(TypeUrl.cluster), "v1", "the version of the last accepted response");
    const record = state.records().find((each) => each.typeUrl === TypeUrl.cluster && each.name === "a")!;
    assert.equal(record.version, "v1");
    assert.equal(record.error!.version, "v5");
    assert.match(record.error!.details, /connect_timeout/);
    assert.deepEqual(await give(TypeUrl.cluster, cluster(edsCluster("a"))), []);
    assert.equal(state.records().find((each) => each.name === "a")!.error, undefined);
  });

  test("takes nothing as removed when a resource of the response can't be read", async () => {
    const { give, last } = await running();
    const problems = await give(TypeUrl.cluster, new Uint8Array([0xff, 0xff]));
    assert.match(problems[0]!.message, /not a envoy.config.cluster.v3.Cluster/);
    assert.equal(last()!.clusters.has("a"), true);
  });

  test("refuses a name that stands twice", async () => {
    const { give } = await running();
    const problems = await give(TypeUrl.cluster, cluster({ name: "x" }), cluster({ name: "x" }));
    assert.deepEqual(problems, [{ path: "x", message: "stands twice in the response" }]);
  });

  test("waits for secrets of the identity before it hands out what uses them, and passes new ones on at once", async () => {
    const { state, give, configs, last } = start();
    const sds = {
      name: "default",
      sds_config: {
        api_config_source: { api_type: "GRPC", transport_api_version: "V3", grpc_services: [{ envoy_grpc: { cluster_name: "sds-grpc" } }] },
      },
    };
    const tls = {
      name: "tls",
      typed_config: any("envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext", {
        common_tls_context: { tls_certificate_sds_secret_configs: [sds] },
      }),
    };
    await give(TypeUrl.cluster, cluster({ name: "a", transport_socket: tls }));
    await give(TypeUrl.listener);
    assert.equal(configs.length, 0);
    assert.deepEqual(state.missing(), ["secret default"]);
    state.setSecrets([{ kind: "certificate", name: "default", chainPem: "1", keyPem: "k" }]);
    await settle();
    assert.equal(configs.length, 1);
    state.setSecrets([{ kind: "certificate", name: "default", chainPem: "2", keyPem: "k" }]);
    await settle();
    assert.equal(configs.length, 2);
    const renewed = last()!.secrets.get("default");
    assert.equal(renewed?.kind === "certificate" && renewed.chainPem, "2");
    assert.equal(configs[0]!.clusters, configs[1]!.clusters);
  });

  test("asks over ADS for the secrets that come over ADS", async () => {
    const { give, subscriptions, configs } = start();
    const chain = connectionManager({ route_config: routeTo("inline", "a") });
    const tls = any("envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext", {
      common_tls_context: {
        tls_certificate_sds_secret_configs: [{ name: "web", sds_config: ADS }],
        validation_context_sds_secret_config: { name: "ca", sds_config: ADS },
      },
    });
    await give(TypeUrl.cluster, cluster({ name: "a" }));
    const address = { socket_address: { address: "127.0.0.1", port_value: 1 } };
    await give(
      TypeUrl.listener,
      listener({
        name: "l",
        address,
        filter_chains: [{ filters: [{ typed_config: chain }], transport_socket: { name: "tls", typed_config: tls } }],
      }),
    );
    assert.deepEqual(subscriptions.get(TypeUrl.secret), ["ca", "web"]);
    assert.equal(configs.length, 0);
    assert.match(
      (await give(TypeUrl.secret, secret({ name: "web", tls_certificate: { certificate_chain: { inline_string: "x" } } })))[0]!.path,
      /^web: tls_certificate/,
    );
  });

  test("serves names, and again when they change", async () => {
    const { give, last } = await running();
    await give(TypeUrl.nameTable, names({ "Backend.Shop.svc.cluster.local": ["10.96.0.7"] }));
    assert.deepEqual([...last()!.names], [["backend.shop.svc.cluster.local", ["10.96.0.7"]]]);
  });

  test("goes on with the static configuration when the first response does not come in time", async () => {
    const { state, clock, configs } = start({ initialFetchTimeoutMs: 15_000 });
    await settle();
    assert.equal(state.isReady(), false);
    await clock.advance(15_001);
    assert.equal(configs.length, 1);
    assert.equal(state.isReady(), true);
  });

  test("hands out a purely static configuration at once", () => {
    const { state, configs } = start({ ads: undefined, cdsViaAds: false, ldsViaAds: false });
    assert.equal(configs.length, 1);
    assert.equal(state.isReady(), true);
  });

  test("marks what is accepted and not in use yet as warming", async () => {
    const { state, give } = await running();
    await give(TypeUrl.cluster, cluster(edsCluster("a")), cluster(edsCluster("new")));
    const states = new Map(
      state
        .records()
        .filter((each) => each.typeUrl === TypeUrl.cluster)
        .map((each) => [each.name, each.state]),
    );
    assert.deepEqual(
      [...states],
      [
        ["a", "active"],
        ["new", "warming"],
      ],
    );
  });
});
