// Proxies in front of gRPC servers: one hop in plain HTTP/2, or a client's and a server's sidecar with mTLS between them.
import type { TestContext } from "node:test";
import { EchoClient } from "./grpc-peers.ts";
import {
  cluster,
  httpFilter,
  listener,
  startPlane,
  staticResources,
  tlsSocket,
  toCluster,
  type Json,
  type TestPlane,
} from "./proxy-plane.ts";
import { certificateSecret, commonTls, createIdentities, rootsSecret } from "./test-identities.ts";

const HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

/** Cluster fields: its hosts speak HTTP/2. */
export const HTTP2_UPSTREAM: Json = {
  typed_extension_protocol_options: {
    [HTTP_OPTIONS]: { "@type": `type.googleapis.com/${HTTP_OPTIONS}`, explicit_http_config: { http2_protocol_options: {} } },
  },
};

export interface GrpcPath {
  /** Where clients connect. */
  readonly port: number;
  /** The proxy that clients meet, and the one next to the server: the same in one hop. */
  readonly client: TestPlane;
  readonly server: TestPlane;
  stop(): Promise<void>;
}

export interface PathOptions {
  /** Of the client's route and connection manager, and of the cluster that it leads to. */
  readonly action?: Json;
  readonly manager?: Json;
  readonly cluster?: Json;
}

const ROUTE: Json = { timeout: "0s", max_grpc_timeout: "0s" };

/** A proxy between clients and servers on these ports. */
export async function startHop(ports: readonly number[], options: PathOptions = {}): Promise<GrpcPath> {
  const filters = [httpFilter([toCluster("up", { ...ROUTE, ...options.action })], options.manager)];
  const resources = staticResources(
    [listener([{ filters }], { traffic_direction: "OUTBOUND" })],
    [cluster("up", ports, { ...HTTP2_UPSTREAM, ...options.cluster })],
  );
  const plane = await startPlane(resources);
  return { port: plane.port(), client: plane, server: plane, stop: () => plane.stop() };
}

/** Two sidecars between clients and a server; `alpn` is what the client's offers. */
export async function startSidecars(port: number, alpn: readonly string[], options: PathOptions = {}): Promise<GrpcPath> {
  const identities = await createIdentities();
  const [own, friend] = [await identities.issue("server"), await identities.issue("friend")];
  const inboundAction = { timeout: "0s", max_stream_duration: { max_stream_duration: "0s", grpc_timeout_header_max: "0s" } };
  const inbound = listener(
    [
      {
        filters: [httpFilter([toCluster("app", inboundAction)])],
        ...tlsSocket("Downstream", {
          require_client_certificate: true,
          ...commonTls(["friend"], { alpn_protocols: ["meshctl/1", "istio-h2", "h2"] }),
        }),
      },
    ],
    { traffic_direction: "INBOUND" },
  );
  const server = await startPlane(
    staticResources(
      [inbound],
      [cluster("app", [port], HTTP2_UPSTREAM)],
      [certificateSecret("own", own), rootsSecret("roots", identities.rootsPem)],
    ),
  );
  const filters = [httpFilter([toCluster("up", { ...ROUTE, ...options.action })], options.manager)];
  const toServer = cluster("up", [server.port()], {
    ...HTTP2_UPSTREAM,
    ...tlsSocket("Upstream", commonTls(["server"], { alpn_protocols: alpn })),
    ...options.cluster,
  });
  const client = await startPlane(
    staticResources(
      [listener([{ filters }], { traffic_direction: "OUTBOUND" })],
      [toServer],
      [certificateSecret("own", friend), rootsSecret("roots", identities.rootsPem)],
    ),
  );
  return {
    port: client.port(),
    client,
    server,
    async stop() {
      await client.stop();
      await server.stop();
    },
  };
}

/** Stops what a test has started when the test is over. */
export function closing<T extends { stop(): unknown }>(context: TestContext, started: T): T {
  context.after(async () => void (await started.stop()));
  return started;
}

/** A client of the path, for one test. */
export function clientOf(context: TestContext, path: GrpcPath): EchoClient {
  const client = new EchoClient(path.port);
  context.after(() => client.close());
  return client;
}
