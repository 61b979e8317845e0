// Failures of TLS on either side, and of connections that no filter chain takes.
import { commonTls, certificateSecret, createIdentities, rootsSecret } from "../test-identities.ts";
import { startRawTlsServer, connectRawTls, type RawServer } from "../raw-peer.ts";
import { tlsInspector, tlsSocket, type Json } from "../proxy-plane.ts";
import { GET, SOON, type FailureCase, type Lab } from "./lab.ts";

const identities = createIdentities();

/** The proxy's own certificate and roots. */
async function secrets(options: { readonly expired?: boolean } = {}): Promise<Json[]> {
  const ids = await identities;
  return [certificateSecret("own", await ids.issue("friend", options)), rootsSecret("roots", ids.rootsPem)];
}

const upstreamTls = tlsSocket("Upstream", commonTls(["server"]));
const downstreamTls = tlsSocket("Downstream", { require_client_certificate: true, ...commonTls(["friend"]) });

async function tlsServer(lab: Lab): Promise<RawServer> {
  const ids = await identities;
  const server = await startRawTlsServer({ ...(await ids.issue("server")), ca: ids.rootsPem, requestCert: true });
  lab.onEnd(() => server.stop());
  return server;
}

export const TLS_CASES: readonly FailureCase[] = [
  {
    cause: "connectTimeout",
    by: "network",
    detail: /no connection to 127\.0\.0\.1:\d+ within 100 ms/,
    stats: ["cluster.up.upstream_cx_connect_timeout"],
    async provoke(lab) {
      // TCP is there, and TLS does not follow.
      await lab.start({ cluster: { ...upstreamTls, connect_timeout: SOON }, secrets: await secrets() });
      return lab.ask();
    },
  },
  {
    cause: "tlsFailure",
    by: "server-sidecar",
    detail: /127\.0\.0\.1:\d+: /,
    stats: ["cluster.up.ssl.connection_error"],
    async provoke(lab) {
      await lab.start({ cluster: upstreamTls, secrets: await secrets() }, (peer) => void peer.write("SSH-2.0-no-tls-here\r\n"));
      return lab.ask();
    },
  },
  {
    cause: "tlsPeerIdentity",
    by: "policy",
    detail: /server is spiffe:\/\/cluster\.local\/ns\/test\/sa\/server/,
    stats: ["cluster.up.ssl.fail_verify_san"],
    async provoke(lab) {
      const server = await tlsServer(lab);
      await lab.start({ port: server.port, cluster: tlsSocket("Upstream", commonTls(["someone-else"])), secrets: await secrets() });
      return lab.ask();
    },
  },
  {
    cause: "noOwnCertificate",
    by: "control-plane",
    detail: /secret own has not arrived/,
    async provoke(lab) {
      await lab.start({ cluster: upstreamTls, secrets: await secrets() });
      await lab.reconfigure(() => ({ secrets: new Map() }));
      return lab.ask();
    },
  },
  {
    cause: "ownCertificateExpired",
    by: "client-sidecar",
    detail: /own certificate expired at \d{4}-/,
    async provoke(lab) {
      const server = await tlsServer(lab);
      await lab.start({ port: server.port, cluster: upstreamTls, secrets: await secrets({ expired: true }) });
      return lab.ask();
    },
  },
  {
    cause: "noFilterChain",
    by: "policy",
    detail: /no filter chain takes plaintext/,
    reply: "refusal",
    async provoke(lab) {
      const chain = { filter_chain_match: { transport_protocol: "tls" }, ...downstreamTls };
      await lab.start({ chain, listener: { listener_filters: [tlsInspector()] }, secrets: await secrets() });
      await (await lab.client()).write(GET).untilEnd();
      return undefined;
    },
  },
  {
    cause: "noServerCertificate",
    by: "control-plane",
    detail: /missing_secret/,
    reply: "refusal",
    async provoke(lab) {
      await lab.start({ chain: downstreamTls, secrets: await secrets() });
      await lab.reconfigure(() => ({ secrets: new Map() }));
      await (await lab.client()).write(GET).untilEnd();
      return undefined;
    },
  },
  {
    cause: "clientHandshakeFailed",
    by: "client",
    detail: /handshake_failed/,
    reply: "refusal",
    async provoke(lab) {
      await lab.start({ chain: downstreamTls, secrets: await secrets() });
      await (await lab.client()).write(GET).untilEnd();
      return undefined;
    },
  },
  {
    cause: "clientUntrusted",
    by: "policy",
    detail: /san_mismatch: client is spiffe:\/\/cluster\.local\/ns\/test\/sa\/stranger/,
    reply: "refusal",
    async provoke(lab) {
      await lab.start({ chain: downstreamTls, secrets: await secrets() });
      const ids = await identities;
      const peer = await connectRawTls(lab.plane.port(), { ...(await ids.issue("stranger")), ca: ids.rootsPem });
      await peer.untilEnd();
      peer.destroy();
      return undefined;
    },
  },
];
