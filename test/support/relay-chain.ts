// What a relayed connection passes between client and server: one proxy, or a client's and a server's sidecar with mTLS
// between them, shaped as the control plane shapes them.
import type { TestContext } from "node:test";
import {
  cluster,
  httpFilter,
  httpInspector,
  listener,
  startPlane,
  staticResources,
  tcpFilter,
  tlsInspector,
  tlsSocket,
  toCluster,
  type Json,
  type TestPlane,
} from "./proxy-plane.ts";
import { connectRaw, startRawServer, type RawPeer, type RawServer } from "./raw-peer.ts";
import { certificateSecret, commonTls, createIdentities, rootsSecret } from "./test-identities.ts";

export const CHAINS = ["one proxy", "two sidecars over mTLS"] as const;
export type ChainKind = (typeof CHAINS)[number];

export interface RelayChain {
  readonly server: RawServer;
  /** Where the client connects to. */
  readonly client: TestPlane;
  /** What the server is connected to by; the same as `client` for one proxy. */
  readonly far: TestPlane;
  connect(): Promise<RawPeer>;
  /** A client and the server's end of its connection, after a byte has passed. */
  pair(): Promise<{ readonly client: RawPeer; readonly upstream: RawPeer }>;
}

export interface RelayChainOptions {
  /** Of the server. */
  readonly script?: (peer: RawPeer, index: number) => void;
  /** Fields of the client's TCP proxy filter. */
  readonly tcp?: Json;
  /** Fields of the cluster that the client's proxy sends to. */
  readonly cluster?: Json;
  /**
   * What the first bytes are is found out, on every listener; fields of the listeners. `excepted`: not by the client's
   * proxy, as on a port that is known to carry something else.
   */
  readonly sniffing?: Json & { readonly excepted?: "all" };
}

const HTTP_PLAINTEXT = { transport_protocol: "raw_buffer", application_protocols: ["http/1.0", "http/1.1", "h2c"] };
const ALPN = { alpn_protocols: ["istio"] };

/** The chain lives until the test ends. */
export async function startRelayChain(context: TestContext, kind: ChainKind, options: RelayChainOptions = {}): Promise<RelayChain> {
  const server = await startRawServer(options.script);
  const planes = kind === "one proxy" ? [await startOne(server, options)] : await startTwo(server, options);
  const [client, far] = [planes[0]!, planes[planes.length - 1]!];
  const clients: RawPeer[] = [];
  context.after(async () => {
    for (const each of clients) each.destroy();
    for (const each of planes) await each.stop();
    await server.stop();
  });
  const connect = async (): Promise<RawPeer> => {
    const peer = await connectRaw(client.port());
    clients.push(peer);
    return peer;
  };
  return {
    server,
    client,
    far,
    connect,
    async pair() {
      const index = server.peers.length;
      const peer = await connect();
      peer.write("!");
      const upstream = await server.peer(index);
      await upstream.receives("!");
      upstream.clear();
      return { client: peer, upstream };
    },
  };
}

function startOne(server: RawServer, options: RelayChainOptions): Promise<TestPlane> {
  return startPlane(staticResources([outbound(options)], [cluster("up", [server.port], options.cluster)]));
}

async function startTwo(server: RawServer, options: RelayChainOptions): Promise<TestPlane[]> {
  const identities = await createIdentities();
  const [near, own] = await Promise.all([identities.issue("client"), identities.issue("server")]);
  const secrets = (certificate: typeof own): Json[] => [certificateSecret("own", certificate), rootsSecret("roots", identities.rootsPem)];
  const far = await startPlane(staticResources([inbound(options)], [cluster("app", [server.port])], secrets(own)));
  const client = await startPlane(
    staticResources(
      [outbound(options)],
      [cluster("up", [far.port()], { ...tlsSocket("Upstream", commonTls(["server"], ALPN)), ...options.cluster })],
      secrets(near),
    ),
  );
  return [client, far];
}

function sniffing({ sniffing: options }: RelayChainOptions, side: "client" | "server"): Json {
  const { excepted, ...more } = options!;
  const off = excepted === "all" && side === "client" ? { filter_disabled: { any_match: true } } : {};
  const inspectors = [tlsInspector(), httpInspector()].map((each) => ({ ...each, ...off }));
  return { listener_filters: inspectors, continue_on_listener_filters_timeout: true, ...more };
}

function outbound(options: RelayChainOptions): Json {
  const tcp = { filters: [tcpFilter("up", options.tcp)] };
  if (options.sniffing === undefined) return listener([tcp], { traffic_direction: "OUTBOUND" });
  return listener([{ filter_chain_match: HTTP_PLAINTEXT, filters: [httpFilter([toCluster("up")])] }], {
    traffic_direction: "OUTBOUND",
    default_filter_chain: tcp,
    ...sniffing(options, "client"),
  });
}

function inbound(options: RelayChainOptions): Json {
  const mesh = {
    filters: [tcpFilter("app")],
    ...tlsSocket("Downstream", { require_client_certificate: true, ...commonTls(["client"], ALPN) }),
  };
  if (options.sniffing === undefined) return listener([mesh], { traffic_direction: "INBOUND" });
  return listener(
    [
      { filter_chain_match: { transport_protocol: "tls", application_protocols: ["istio"] }, ...mesh },
      { filter_chain_match: HTTP_PLAINTEXT, filters: [httpFilter([toCluster("app")])] },
      { filter_chain_match: { transport_protocol: "raw_buffer" }, filters: [tcpFilter("app")] },
      { filter_chain_match: { transport_protocol: "tls" }, filters: [tcpFilter("app")] },
    ],
    { traffic_direction: "INBOUND", ...sniffing(options, "server") },
  );
}
