import assert from "node:assert/strict";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { request } from "undici";
import { UserError } from "../../../src/common/user-error.ts";
import { startAdmin, startPrometheusPort } from "../../../src/proxy-runtime/admin/admin-server.ts";
import type { AdminServer } from "../../../src/proxy-runtime/admin/admin-server.ts";
import { startReadinessPort } from "../../../src/proxy-runtime/admin/readiness-port.ts";
import { StatsStore } from "../../../src/proxy-runtime/telemetry/stats-store.ts";
import { BootstrapSchema } from "../../../src/xds/gen/envoy/config/bootstrap/v3/bootstrap_pb.ts";
import { ClusterSchema } from "../../../src/xds/gen/envoy/config/cluster/v3/cluster_pb.ts";
import { ClusterLoadAssignmentSchema } from "../../../src/xds/gen/envoy/config/endpoint/v3/endpoint_pb.ts";
import { ListenerSchema } from "../../../src/xds/gen/envoy/config/listener/v3/listener_pb.ts";
import { UpstreamTlsContextSchema } from "../../../src/xds/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts";
import { SecretSchema } from "../../../src/xds/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts";
import { TypeUrl } from "../../../src/xds/names.ts";
import { fakeDataPlane, WEB } from "../../support/data-plane-view.ts";
import { eventually } from "../../support/eventually.ts";
import { selfSigned } from "../../support/openssl.ts";
import { parsePrometheus } from "../../support/prometheus-text.ts";

const view = fakeDataPlane();
const stats = new StatsStore();
const levels = new Map([
  ["admin", "info"],
  ["router", "info"],
]);
let reopened = 0;
let admin: AdminServer;

before(async () => {
  const bootstrap = create(BootstrapSchema, {
    node: { id: "sidecar~10.0.0.9~web.shop~shop.svc.cluster.local", cluster: "web.shop", metadata: { ISTIO_VERSION: "1.30" } },
  });
  admin = await startAdmin({
    address: { host: "127.0.0.1", port: 0 },
    view,
    stats,
    bootstrap: () => toBinary(BootstrapSchema, bootstrap),
    logging: {
      levels: () => levels,
      set: (name, level) => [...levels.keys()].forEach((key) => (name ?? key) === key && levels.set(key, level)),
    },
    reopenLogs: async () => void reopened++,
    commandLine: { concurrency: 1 },
  });
});
after(() => admin.stop());

async function ask(path: string, method: "GET" | "POST" = "GET") {
  const { statusCode, headers, body } = await request(`http://127.0.0.1:${admin.port}${path}`, { method });
  return { status: statusCode, headers, body: await body.text() };
}

async function askJson(path: string) {
  const { headers, body } = await ask(path);
  assert.equal(headers["content-type"], "application/json");
  return JSON.parse(body);
}

describe("admin", () => {
  test("answers with Envoy's headers", async () => {
    const { status, headers, body } = await ask("/ready");
    assert.equal(status, 200);
    assert.equal(body, "LIVE\n");
    assert.equal(headers["content-type"], "text/plain; charset=UTF-8");
    assert.equal(headers["cache-control"], "no-cache, max-age=0");
    assert.equal(headers["x-content-type-options"], "nosniff");
  });

  test("ready follows the state, and the health check that was failed by hand", async () => {
    view.serverState = "PRE_INITIALIZING";
    assert.deepEqual([(await ask("/ready")).status, (await ask("/ready")).body], [503, "PRE_INITIALIZING\n"]);
    view.serverState = "LIVE";
    assert.equal((await ask("/healthcheck/fail", "POST")).body, "OK\n");
    assert.deepEqual([(await ask("/ready")).status, (await ask("/ready")).body], [503, "DRAINING\n"]);
    await ask("/healthcheck/ok", "POST");
    assert.equal((await ask("/ready")).status, 200);
    assert.deepEqual(view.orders.splice(0), ["healthcheck fail", "healthcheck ok"]);
  });

  test("what changes something asks for POST", async () => {
    for (const path of ["/quitquitquit", "/drain_listeners", "/healthcheck/fail", "/reset_counters", "/logging", "/reopen_logs"]) {
      const { status, body } = await ask(path);
      assert.deepEqual([status, body], [405, "Method GET not allowed, POST required."], path);
    }
    assert.deepEqual(view.orders, []);
  });

  test("an unknown path is answered with the commands, as help is", async () => {
    const { status, body } = await ask("/nope");
    assert.equal(status, 404);
    assert.ok(body.startsWith("invalid path. admin commands are:\n  /: "), body);
    const help = await ask("/help");
    assert.equal(`invalid path. ${help.body}`, body);
    assert.match(help.body, /\n  \/quitquitquit \(POST\): exit the server\n/);
    assert.match(help.body, /\n      format: form of the answer; One of \(text, json\)\n/);
    assert.deepEqual((await ask("//evil.example/x")).status, 404);
    const home = await ask("/");
    assert.match(String(home.headers["content-type"]), /^text\/html/);
    assert.match(home.body, /<a href="stats\/prometheus">/);
    assert.match(home.body, /<form action="quitquitquit" method="post">/);
  });

  test("drains as asked", async () => {
    assert.deepEqual((await ask("/drain_listeners?skip_exit", "POST")).body, "skip_exit requires graceful\n");
    assert.equal((await ask("/drain_listeners?graceful&inboundonly", "POST")).body, "OK\n");
    assert.deepEqual(view.orders.splice(0), ['drain {"inboundOnly":true,"graceful":true,"skipExit":false}']);
  });

  test("quits after it has answered", async () => {
    assert.equal((await ask("/quitquitquit", "POST")).body, "OK\n");
    await eventually(() => assert.deepEqual(view.orders, ["quit"]), { withinMs: 2000 });
    view.orders.length = 0;
  });

  test("lists clusters as text", async () => {
    const { body } = await ask("/clusters");
    const hostLines = (address: string, flags: string, weight: number) =>
      `cx_active::1 cx_connect_fail::0 cx_total::2 rq_active::0 rq_error::1 rq_success::7 rq_timeout::0 rq_total::8 hostname:: health_flags::${flags} weight::${weight} region::r1 zone:: sub_zone:: canary::false priority::0 success_rate::-1 local_origin_success_rate::-1`
        .split(" ")
        .map((line) => `${address}::${line}`);
    const limits = (priority: string) =>
      ["max_connections::1024", "max_pending_requests::1024", "max_requests::1024", "max_retries::3"].map((line) => `${priority}::${line}`);
    const expected = [
      ...[
        `observability_name::${WEB}`,
        ...limits("default_priority"),
        ...limits("high_priority"),
        "added_via_api::true",
        `eds_service_name::${WEB}`,
        ...hostLines("10.0.0.1:80", "healthy", 1),
        ...hostLines("[fd00::2]:80", "/failed_outlier_check/failed_eds_health", 3),
      ].map((line) => `${WEB}::${line}\n`),
      ...[
        "observability_name::local",
        ...limits("default_priority"),
        ...limits("high_priority"),
        "added_via_api::false",
        ...hostLines("127.0.0.1:9000", "healthy", 1),
      ].map((line) => `local::${line}\n`),
    ].join("");
    assert.equal(body, expected);
  });

  test("lists clusters as JSON", async () => {
    const { cluster_statuses } = await askJson("/clusters?format=json");
    const [web, local] = cluster_statuses;
    assert.equal(web.name, WEB);
    assert.equal(web.added_via_api, true);
    assert.equal(local.added_via_api, undefined);
    assert.deepEqual(web.circuit_breakers.thresholds[1], {
      priority: "HIGH",
      max_connections: 1024,
      max_pending_requests: 1024,
      max_requests: 1024,
      max_retries: 3,
    });
    assert.deepEqual(web.host_statuses[0], {
      address: { socket_address: { address: "10.0.0.1", port_value: 80 } },
      stats: [
        { name: "cx_connect_fail" },
        { name: "cx_total", value: "2" },
        { name: "rq_error", value: "1" },
        { name: "rq_success", value: "7" },
        { name: "rq_timeout" },
        { name: "rq_total", value: "8" },
        { type: "GAUGE", name: "cx_active", value: "1" },
        { type: "GAUGE", name: "rq_active" },
      ],
      health_status: { eds_health_status: "HEALTHY" },
      weight: 1,
      locality: { region: "r1" },
    });
    assert.deepEqual(web.host_statuses[1].health_status, { failed_outlier_check: true, eds_health_status: "UNHEALTHY" });
  });

  test("lists listeners", async () => {
    assert.equal((await ask("/listeners")).body, "virtualOutbound::0.0.0.0:15001\nsix::[::1]:80\n");
    const { listener_statuses } = await askJson("/listeners?format=json");
    assert.deepEqual(listener_statuses[0], {
      name: "virtualOutbound",
      local_address: { socket_address: { address: "0.0.0.0", port_value: 15001 } },
    });
  });

  test("shows and changes log levels, all or none of them", async () => {
    assert.equal((await ask("/logging", "POST")).body, "active loggers:\n  admin: info\n  router: info\n\n");
    assert.match((await ask("/logging?paths=admin:debug,router:error", "POST")).body, /admin: debug\n  router: error\n/);
    const wrong = await ask("/logging?paths=admin:trace,nope:info", "POST");
    assert.equal(wrong.status, 400);
    assert.match(wrong.body, /^error: unknown logger name: nope\n\nusage: \/logging\?<name>=<level> \(change single level\)\n/);
    assert.match(wrong.body, /levels: trace debug info warning error critical off \nactive loggers:\n  admin: debug\n/);
    assert.equal((await ask("/logging?level=loud", "POST")).status, 400);
    assert.equal((await ask("/logging?level=info&router=debug", "POST")).status, 400);
    assert.match((await ask("/logging?level=warning", "POST")).body, /admin: warning\n  router: warning\n/);
    assert.match((await ask("/logging?router=off", "POST")).body, /admin: warning\n  router: off\n/);
  });

  test("serves stats in all forms, and resets counters only", async () => {
    const scope = stats.scope("cluster.", "web", "envoy_cluster_", "envoy_cluster_name");
    scope.counter("upstream_rq_total").add(3);
    scope.gauge("upstream_cx_active").set(2);
    scope.histogram("upstream_rq_time", "ms").record(4);
    assert.equal((await ask("/stats?filter=rq_total$")).body, "cluster.web.upstream_rq_total: 3\n");
    assert.equal((await askJson("/stats?format=json&filter=rq_total")).stats[0].value, 3);
    const { body } = await ask("/stats/prometheus");
    assert.equal(parsePrometheus(body).get("envoy_cluster_upstream_rq_total")!.samples[0]!.value, 3);
    assert.equal((await ask("/stats?format=prometheus")).body, body);
    const wrong = await ask("/stats?filter=%5B");
    assert.equal(wrong.status, 400);
    assert.match(wrong.body, /^Invalid re2 regex/);
    assert.equal((await ask("/reset_counters", "POST")).body, "OK\n");
    assert.match(
      (await ask("/stats")).body,
      /^cluster.web.upstream_cx_active: 2\ncluster.web.upstream_rq_total: 0\ncluster.web.upstream_rq_time: P0\(nan,/,
    );
    assert.equal((await ask("/reopen_logs", "POST")).body, "OK\n");
    assert.equal(reopened, 1);
  });

  test("tells memory, server and certificates", async () => {
    const memory = await askJson("/memory");
    assert.ok(Number(memory.total_physical_bytes) > 1_000_000 && typeof memory.allocated === "string");
    const info = await askJson("/server_info");
    assert.deepEqual(
      [info.state, info.node.id, info.command_line_options.concurrency],
      ["LIVE", "sidecar~10.0.0.9~web.shop~shop.svc.cluster.local", 1],
    );
    assert.match(info.uptime_current_epoch, /^\d+s$/);
    assert.equal(info.version.split("/").length, 5);
    const { certificate } = selfSigned("URI:spiffe://cluster.local/ns/shop/sa/web,DNS:a.test,IP:127.0.0.1");
    view.certificateList.push(
      { secretName: "default", kind: "certificate", pem: certificate },
      { secretName: "ROOTCA", kind: "validation", pem: certificate },
    );
    const { certificates } = await askJson("/certs");
    assert.deepEqual([certificates[0].ca_cert, certificates[1].cert_chain], [[], []]);
    const [chain] = certificates[0].cert_chain;
    assert.deepEqual(chain.subject_alt_names, [
      { uri: "spiffe://cluster.local/ns/shop/sa/web" },
      { dns: "a.test" },
      { ip_address: "127.0.0.1" },
    ]);
    assert.match(chain.serial_number, /^[0-9a-f]+$/);
    assert.ok(new Date(chain.valid_from) < new Date(chain.expiration_time));
    assert.equal(typeof chain.days_until_expiration, "string");
  });
});

describe("config_dump", () => {
  before(() => {
    const at = Date.UTC(2026, 0, 2, 3, 4, 5, 6);
    const common = { version: "v1", updatedAt: at, state: "active", error: undefined } as const;
    const cluster = create(ClusterSchema, {
      name: WEB,
      transportSocket: {
        name: "envoy.transport_sockets.tls",
        configType: { case: "typedConfig", value: anyPack(UpstreamTlsContextSchema, create(UpstreamTlsContextSchema, { sni: "web" })) },
      },
    });
    const rejected = create(ClusterSchema, {
      name: WEB,
      typedExtensionProtocolOptions: {
        x: { $typeName: "google.protobuf.Any", typeUrl: "type.googleapis.com/acme.Unknown", value: new Uint8Array([8, 1]) },
      },
    });
    const secret = create(SecretSchema, {
      name: "default",
      type: {
        case: "tlsCertificate",
        value: {
          certificateChain: { specifier: { case: "inlineBytes", value: Buffer.from("PUBLIC") } },
          privateKey: { specifier: { case: "inlineBytes", value: Buffer.from("TOP SECRET KEY") } },
          password: { specifier: { case: "inlineString", value: "hunter2" } },
        },
      },
    });
    const assignment = create(ClusterLoadAssignmentSchema, {
      clusterName: WEB,
      endpoints: [
        {
          lbEndpoints: [
            {
              hostIdentifier: {
                case: "endpoint",
                value: {
                  address: {
                    address: { case: "socketAddress", value: { address: "10.0.0.1", portSpecifier: { case: "portValue", value: 80 } } },
                  },
                },
              },
            },
          ],
        },
      ],
    });
    view.records.push(
      {
        ...common,
        typeUrl: TypeUrl.cluster,
        name: WEB,
        bytes: toBinary(ClusterSchema, cluster),
        error: { details: "bad", version: "v2", bytes: toBinary(ClusterSchema, rejected), at },
      },
      {
        ...common,
        typeUrl: TypeUrl.cluster,
        name: "local",
        state: "static",
        version: "",
        bytes: toBinary(ClusterSchema, create(ClusterSchema, { name: "local" })),
      },
      {
        ...common,
        typeUrl: TypeUrl.listener,
        name: "virtualOutbound",
        bytes: toBinary(ListenerSchema, create(ListenerSchema, { name: "virtualOutbound" })),
      },
      { ...common, typeUrl: TypeUrl.endpoints, name: WEB, bytes: toBinary(ClusterLoadAssignmentSchema, assignment) },
      { ...common, typeUrl: TypeUrl.secret, name: "default", bytes: toBinary(SecretSchema, secret) },
      { ...common, typeUrl: TypeUrl.listener, name: "broken", bytes: new Uint8Array([0xff, 0xff]) },
    );
  });

  const types = (dump: { configs: { "@type": string }[] }) =>
    dump.configs.map((each) => each["@type"].replace("type.googleapis.com/envoy.admin.v3.", ""));

  test("has Envoy's sections in Envoy's order, endpoints when asked for", async () => {
    const sections = [
      "BootstrapConfigDump",
      "ClustersConfigDump",
      "ListenersConfigDump",
      "ScopedRoutesConfigDump",
      "RoutesConfigDump",
      "SecretsConfigDump",
    ];
    assert.deepEqual(types(await askJson("/config_dump")), sections);
    assert.deepEqual(types(await askJson("/config_dump?include_eds=true")), sections.toSpliced(2, 0, "EndpointsConfigDump"));
  });

  test("shows secrets that came from the authority beside those that came over xDS, and never a key", async () => {
    view.certificateList.splice(
      0,
      Infinity,
      { secretName: "default", kind: "certificate", pem: "of the resource" },
      { secretName: "own", kind: "certificate", pem: "own chain" },
      { secretName: "ROOTCA", kind: "validation", pem: "own roots" },
    );
    const { configs } = await askJson("/config_dump?resource=dynamic_active_secrets");
    assert.deepEqual(
      configs.map((each: { name: string }) => each.name),
      ["default", "own", "ROOTCA"],
    );
    const bytes = (text: string) => ({ inline_bytes: Buffer.from(text).toString("base64") });
    const redacted = { certificate_chain: bytes("own chain"), private_key: bytes("[redacted]") };
    assert.deepEqual(configs[1].secret, { "@type": TypeUrl.secret, name: "own", tls_certificate: redacted });
    assert.deepEqual(configs[2].secret, {
      "@type": TypeUrl.secret,
      name: "ROOTCA",
      validation_context: { trusted_ca: bytes("own roots") },
    });
  });

  test("prints a cluster with its nested types, version, time and last error", async () => {
    const dump = await askJson("/config_dump");
    assert.deepEqual(dump.configs[1], {
      "@type": "type.googleapis.com/envoy.admin.v3.ClustersConfigDump",
      version_info: "v7",
      static_clusters: [{ cluster: { "@type": TypeUrl.cluster, name: "local" }, last_updated: "2026-01-02T03:04:05.006Z" }],
      dynamic_active_clusters: [
        {
          version_info: "v1",
          cluster: {
            "@type": TypeUrl.cluster,
            name: WEB,
            transport_socket: {
              name: "envoy.transport_sockets.tls",
              typed_config: { "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext", sni: "web" },
            },
          },
          last_updated: "2026-01-02T03:04:05.006Z",
          error_state: {
            failed_configuration: {
              "@type": TypeUrl.cluster,
              name: WEB,
              typed_extension_protocol_options: {
                x: {
                  "@type": "type.googleapis.com/google.protobuf.Struct",
                  value: { type_url: "type.googleapis.com/acme.Unknown", value: "CAE=" },
                },
              },
            },
            last_update_attempt: "2026-01-02T03:04:05.006Z",
            details: "bad",
            version_info: "v2",
          },
        },
      ],
    });
    assert.equal(dump.configs[0].bootstrap.node.metadata.ISTIO_VERSION, "1.30");
    const { body } = await ask("/config_dump");
    assert.match(body, /\n {7}"typed_config": \{\n {8}"@type"/, "@type comes first, one space of indent");
  });

  test("a resource that can't be read stays opaque and spoils nothing", async () => {
    const { configs } = await askJson("/config_dump?resource=dynamic_listeners");
    assert.deepEqual(configs[0].active_state.listener, { "@type": TypeUrl.listener, value: "//8=" });
    assert.deepEqual(configs[1].active_state.listener, { "@type": TypeUrl.listener, name: "virtualOutbound" });
  });

  test("never shows a private key", async () => {
    const { body } = await ask("/config_dump?include_eds");
    for (const secret of ["TOP SECRET KEY", Buffer.from("TOP SECRET KEY").toString("base64"), "hunter2"])
      assert.ok(!body.includes(secret), secret);
    const { configs } = await askJson("/config_dump?resource=dynamic_active_secrets");
    assert.deepEqual(configs[0].secret.tls_certificate, {
      certificate_chain: { inline_bytes: Buffer.from("PUBLIC").toString("base64") },
      private_key: { inline_bytes: Buffer.from("[redacted]").toString("base64") },
      password: { inline_string: "[redacted]" },
    });
  });

  test("spells out the defaults of endpoints", async () => {
    const { configs } = await askJson("/config_dump?include_eds&resource=dynamic_endpoint_configs");
    assert.equal(configs[0]["@type"], "type.googleapis.com/envoy.admin.v3.EndpointsConfigDump.DynamicEndpointConfig");
    assert.deepEqual(configs[0].endpoint_config, {
      "@type": TypeUrl.endpoints,
      cluster_name: WEB,
      endpoints: [
        {
          locality: {},
          lb_endpoints: [
            {
              endpoint: { health_check_config: {}, address: { socket_address: { address: "10.0.0.1", port_value: 80 } } },
              health_status: "HEALTHY",
              load_balancing_weight: 1,
            },
          ],
        },
      ],
      policy: { overprovisioning_factor: 140 },
    });
    const statics = await askJson("/config_dump?include_eds&resource=static_endpoint_configs");
    assert.deepEqual(
      statics.configs.map((each: { endpoint_config: { cluster_name: string } }) => each.endpoint_config.cluster_name),
      ["local"],
    );
  });

  test("resource, mask and name_regex leave a part", async () => {
    const named = await askJson("/config_dump?resource=dynamic_active_clusters&mask=cluster.name,version_info");
    assert.deepEqual(named.configs, [
      {
        "@type": "type.googleapis.com/envoy.admin.v3.ClustersConfigDump.DynamicCluster",
        version_info: "v1",
        cluster: { "@type": TypeUrl.cluster, name: WEB },
      },
    ]);
    const regex = await askJson("/config_dump?name_regex=loc.*");
    assert.equal(types(regex).includes("BootstrapConfigDump"), false);
    assert.equal(regex.configs[0].static_clusters.length, 1);
    assert.equal(regex.configs[0].dynamic_active_clusters, undefined);
    assert.deepEqual(types(await askJson("/config_dump?mask=dynamic_listeners.name")), ["ListenersConfigDump"]);
    const missing = await ask("/config_dump?resource=nope");
    assert.deepEqual([missing.status, missing.body], [404, "nope not found in config dump\n"]);
    const single = await ask("/config_dump?resource=bootstrap");
    assert.deepEqual([single.status, single.body], [400, "bootstrap is not a repeated field. Use ?mask={} to get only this field\n"]);
    assert.equal((await ask("/config_dump?name_regex=%5B")).status, 400);
    assert.equal((await ask("/config_dump?mask=nope")).status, 400);
  });
});

describe("the sidecar's other ports", () => {
  test("15021 answers only the readiness question, on both families", async () => {
    const port = await startReadinessPort(["127.0.0.1", "::1"], 0, view);
    try {
      for (const host of ["127.0.0.1", "[::1]"]) {
        const get = async (path: string, method: "GET" | "POST" = "GET") =>
          (await request(`http://${host}:${port.port}${path}`, { method })).statusCode;
        view.serverState = "LIVE";
        assert.deepEqual(
          [await get("/healthz/ready"), await get("/healthz/ready?x"), await get("/"), await get("/healthz/ready", "POST")],
          [200, 200, 404, 405],
        );
        view.serverState = "DRAINING";
        assert.equal(await get("/healthz/ready"), 503);
      }
    } finally {
      view.serverState = "LIVE";
      await port.stop();
    }
  });

  test("15090 answers only Prometheus", async () => {
    const port = await startPrometheusPort(["127.0.0.1"], 0, stats);
    try {
      const answer = await request(`http://127.0.0.1:${port.port}/stats/prometheus?usedonly`);
      assert.ok(parsePrometheus(await answer.body.text()).has("envoy_cluster_upstream_cx_active"));
      assert.equal((await request(`http://127.0.0.1:${port.port}/config_dump`)).statusCode, 404);
    } finally {
      await port.stop();
    }
  });

  test("an address family that the machine lacks is left out, unless nothing remains", async () => {
    const port = await startReadinessPort(["127.0.0.1", "fd00:dead::1"], 0, view);
    await port.stop();
    await assert.rejects(startPrometheusPort(["fd00:dead::1"], 0, stats), /Prometheus port \[fd00:dead::1\]:0 can't be opened/);
  });

  test("a port in use is a mistake that names it, and leaves nothing open", async () => {
    const taken = createServer().listen(0, "::1");
    await new Promise((resolve) => taken.once("listening", resolve));
    const { port } = taken.address() as AddressInfo;
    try {
      await assert.rejects(
        startReadinessPort(["127.0.0.1", "::1"], port, view),
        (error) =>
          error instanceof UserError &&
          error.message === `readiness port [::1]:${port} is in use by another process` &&
          error.hint !== undefined,
      );
      const again = await startPrometheusPort(["127.0.0.1"], port, stats);
      await again.stop();
    } finally {
      taken.close();
    }
  });
});
