// Raw client, client's sidecar, mutual TLS, server's sidecar, raw application: all real sockets in one process.
import type { TestContext } from "node:test";
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
import { connectRaw, startRawServer, type RawPeer, type RawServer } from "./raw-peer.ts";
import { certificateSecret, commonTls, createIdentities, rootsSecret, type TestIdentities } from "./test-identities.ts";

const GET = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";

/** What the sidecars' TLS contexts agree on. */
export const MESH_ALPN = ["meshctl/1", "istio-http/1.1", "istio"];
export const HTTP1_ALPN = ["istio-http/1.1", "istio"];

export interface SidecarPair {
  readonly app: RawServer;
  readonly client: TestPlane;
  readonly server: TestPlane;
  /** A client that has sent this. */
  readonly send: (request?: string) => Promise<RawPeer>;
}

export interface SidecarPairOptions {
  /** Of the client's route, the server's route, and both clusters. */
  readonly action?: Json;
  readonly inboundAction?: Json;
  readonly cluster?: Json;
  readonly inboundCluster?: Json;
  /** Of both connection managers. */
  readonly manager?: Json;
  /** What the server's sidecar speaks, where it is not what the client's does. */
  readonly inboundAlpn?: readonly string[];
  /** Identities that the server's sidecar lets in. */
  readonly admitted?: readonly string[];
  readonly appIsDown?: boolean;
  /** Of an application that is not the raw one. */
  readonly appPort?: number;
  readonly script?: (peer: RawPeer, index: number) => void;
}

let identities: Promise<TestIdentities> | undefined;

export async function startSidecarPair(
  context: TestContext,
  alpn: readonly string[],
  options: SidecarPairOptions = {},
): Promise<SidecarPair> {
  const issuer = await (identities ??= createIdentities());
  const app = await startRawServer(options.script);
  if (options.appIsDown === true) await app.stop();
  const roots = rootsSecret("roots", issuer.rootsPem);
  const inbound = {
    filters: [httpFilter([toCluster("app", options.inboundAction)], options.manager)],
    ...tlsSocket("Downstream", {
      require_client_certificate: true,
      ...commonTls(options.admitted ?? ["friend"], { alpn_protocols: options.inboundAlpn ?? alpn }),
    }),
  };
  const server = await startPlane(
    staticResources(
      [listener([inbound], { traffic_direction: "INBOUND" })],
      [cluster("app", [options.appPort ?? app.port], options.inboundCluster)],
      [certificateSecret("own", await issuer.issue("server")), roots],
    ),
  );
  const upstream = { ...tlsSocket("Upstream", commonTls(["server"], { alpn_protocols: alpn })), ...options.cluster };
  const client = await startPlane(
    staticResources(
      [listener([{ filters: [httpFilter([toCluster("up", options.action)], options.manager)] }], { traffic_direction: "OUTBOUND" })],
      [cluster("up", [server.port()], upstream)],
      [certificateSecret("own", await issuer.issue("friend")), roots],
    ),
  );
  context.after(async () => {
    await client.stop();
    await server.stop();
    if (options.appIsDown !== true) await app.stop();
  });
  return {
    app,
    client,
    server,
    async send(request = GET) {
      const peer = await connectRaw(client.port());
      context.after(() => peer.destroy());
      return peer.write(request);
    },
  };
}
