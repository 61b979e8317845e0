// Failures on the way to an upstream, and of what it answers.
import { createServer as createHttp2Server, constants, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { eventually } from "../eventually.ts";
import { startRawServer } from "../raw-peer.ts";
import type { Json } from "../proxy-plane.ts";
import { GET, HALF_OK, type FailureCase, type Lab, type LabOptions } from "./lab.ts";

const failing = (
  cause: FailureCase["cause"],
  by: string,
  detail: RegExp,
  provoke: FailureCase["provoke"],
  more: Partial<FailureCase> = {},
): FailureCase => ({ cause, by, detail, stats: ["http.test.downstream_rq_5xx"], provoke, ...more });

async function deadPort(): Promise<number> {
  const gone = await startRawServer();
  await gone.stop();
  return gone.port;
}

async function toDeadPort(lab: Lab, options: LabOptions = {}): Promise<string> {
  await lab.start({ port: await deadPort(), ...options });
  return lab.ask();
}

const retry = (policy: Json): Json => ({ retry_policy: { retry_back_off: { base_interval: "0.001s" }, ...policy } });
const endpoint = (port: number, more: Json): Json => ({
  load_assignment: {
    cluster_name: "up",
    endpoints: [{ lb_endpoints: [{ endpoint: { address: { socket_address: { address: "127.0.0.1", port_value: port } } }, ...more }] }],
  },
});

const HTTP2_CLUSTER: Json = {
  typed_extension_protocol_options: {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
      "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
      explicit_http_config: { http2_protocol_options: {} },
    },
  },
};

/** Behind the proxy stands Node's HTTP/2 server, which does this with every stream. */
async function withHttp2(lab: Lab, onStream: (stream: ServerHttp2Stream) => void): Promise<void> {
  const server = createHttp2Server();
  const sessions = new Set<{ destroy(): void }>();
  server.on("session", (session) => sessions.add(session));
  server.on("stream", (stream: ServerHttp2Stream) => {
    stream.on("error", () => undefined);
    onStream(stream);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  lab.onEnd(async () => {
    for (const each of sessions) each.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  await lab.start({ port: (server.address() as AddressInfo).port, cluster: HTTP2_CLUSTER });
}

export const UPSTREAM_CASES: readonly FailureCase[] = [
  failing(
    "noRoute",
    "control-plane",
    /no route for a\.test/,
    async (lab) => {
      await lab.start({ route: { match: { prefix: "/elsewhere" } } });
      return lab.ask();
    },
    { stats: ["http.test.no_route", "http.test.downstream_rq_4xx"] },
  ),
  failing(
    "noCluster",
    "control-plane",
    /cluster up is unknown/,
    async (lab) => {
      await lab.start();
      await lab.reconfigure(() => ({ clusters: new Map() }));
      return lab.ask();
    },
    { stats: ["http.test.no_cluster"] },
  ),
  failing(
    "noHealthyUpstream",
    "server",
    /cluster up has no healthy host/,
    async (lab) => {
      await lab.start({ cluster: { load_assignment: { cluster_name: "up" } } });
      return lab.ask();
    },
    { stats: ["cluster.up.upstream_cx_none_healthy"] },
  ),
  failing(
    "upstreamOverflow",
    "policy",
    /cluster up has its most requests/,
    async (lab) => {
      await lab.start({ cluster: { circuit_breakers: { thresholds: [{ max_requests: 0 }] } } });
      const answer = await lab.ask();
      return answer.includes("x-envoy-overloaded: true") ? answer : undefined;
    },
    { stats: ["cluster.up.upstream_rq_pending_overflow"] },
  ),
  failing("connectFailure", "server", /127\.0\.0\.1:\d+: ECONNREFUSED/, (lab) => toDeadPort(lab), {
    stats: ["cluster.up.upstream_cx_connect_fail", "cluster.up.upstream_rq_503"],
  }),
  failing(
    "connectFailure",
    "server",
    /ECONNREFUSED/,
    (lab) => toDeadPort(lab, { action: retry({ retry_on: "connect-failure", num_retries: 2 }) }),
    {
      when: "retries are used up",
      alsoFlag: "URX",
      stats: ["cluster.up.upstream_rq_retry_limit_exceeded", "cluster.up.upstream_rq_retry"],
    },
  ),
  failing(
    "connectFailure",
    "server",
    /ECONNREFUSED/,
    (lab) =>
      toDeadPort(lab, {
        action: retry({ retry_on: "connect-failure" }),
        cluster: { circuit_breakers: { thresholds: [{ max_retries: 0 }] } },
      }),
    { when: "no retry is admitted", alsoFlag: "UO", stats: ["cluster.up.upstream_rq_retry_overflow"] },
  ),
  failing(
    "localConnectFailure",
    "client-sidecar",
    /127\.0\.0\.1:\d+: EADDRNOTAVAIL/,
    async (lab) => {
      // TEST-NET-1 (RFC 5737): nobody's own address.
      await lab.start({ cluster: { upstream_bind_config: { source_address: { address: "192.0.2.55", port_value: 0 } } } });
      return lab.ask();
    },
    { stats: ["cluster.up.upstream_cx_connect_fail"] },
  ),
  failing("upstreamClosed", "server", /127\.0\.0\.1:\d+: /, async (lab) => {
    await lab.start({}, (peer) => void peer.socket.once("data", () => peer.end()));
    return lab.ask();
  }),
  failing("plaintextRefused", "policy", /sends plaintext/, async (lab) => {
    const strict = await startRawServer((peer) => void peer.socket.once("data", () => peer.reset()));
    lab.onEnd(() => strict.stop());
    const metadata = { filter_metadata: { "envoy.transport_socket_match": { tlsMode: "istio" } } };
    await lab.start({ cluster: endpoint(strict.port, { metadata }) });
    return lab.ask();
  }),
  failing(
    "upstreamClosedMidway",
    "server",
    /./,
    async (lab) => {
      await lab.start({}, (peer) => void peer.socket.once("data", () => peer.end(HALF_OK)));
      await (await lab.client()).write(GET).untilEnd();
      return undefined;
    },
    { reply: "none", loggedStatus: 200, stats: ["http.test.downstream_rq_tx_reset"] },
  ),
  failing(
    "upstreamReset",
    "server",
    /./,
    async (lab) => {
      await withHttp2(lab, (stream) => stream.close(constants.NGHTTP2_INTERNAL_ERROR));
      return lab.ask();
    },
    { stats: ["cluster.up.upstream_rq_rx_reset"] },
  ),
  failing(
    "upstreamResetMidway",
    "server",
    /./,
    async (lab) => {
      await withHttp2(lab, (stream) => {
        stream.respond({ ":status": 200 });
        stream.write("half", () => stream.destroy(new Error("on purpose")));
      });
      await (await lab.client()).write(GET).untilEnd();
      return undefined;
    },
    { reply: "none", loggedStatus: 200, stats: ["cluster.up.upstream_rq_rx_reset"] },
  ),
  failing(
    "upstreamRefused",
    "server",
    /./,
    async (lab) => {
      await withHttp2(lab, (stream) => stream.close(constants.NGHTTP2_REFUSED_STREAM));
      return lab.ask();
    },
    { stats: ["cluster.up.upstream_rq_rx_reset"] },
  ),
  failing("upstreamProtocolError", "server", /./, async (lab) => {
    await lab.start({}, (peer) => void peer.socket.once("data", () => peer.write("what?\r\n\r\n")));
    return lab.ask();
  }),
  failing(
    "upstreamProtocolErrorMidway",
    "server",
    /./,
    async (lab) => {
      await lab.start(
        {},
        (peer) =>
          void peer.socket.once("data", () => peer.write("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\nZ\r\n")),
      );
      await (await lab.client()).write(GET).untilEnd();
      return undefined;
    },
    { reply: "none", loggedStatus: 200, stats: ["http.test.downstream_rq_tx_reset"] },
  ),
  {
    cause: "relayIdleMidway",
    by: "policy",
    reply: "none",
    async provoke(lab) {
      await relayed(lab, { idle_timeout: "0.1s" });
      return undefined;
    },
  },
  {
    cause: "relayDurationMidway",
    by: "policy",
    reply: "none",
    async provoke(lab) {
      await relayed(lab, { max_downstream_connection_duration: "0.1s" });
      return undefined;
    },
  },
];

async function relayed(lab: Lab, fields: Json): Promise<void> {
  const typed = {
    "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
    stat_prefix: "test",
    cluster: "up",
    ...lab.accessLog,
    ...fields,
  };
  await lab.start({ filter: { name: "envoy.filters.network.tcp_proxy", typed_config: typed } });
  await (await lab.client()).untilEnd();
  await eventually(() => lab.expect("tcp.test.downstream_cx_active", 0), { withinMs: 2000 });
}
