// Which filter chains a port needs, by its protocol and its mutual TLS mode. Pure table; inbound.ts makes the chains.
import { Alpn } from "../../xds/names.ts";
import type { PortProtocol } from "../registry/mesh-snapshot.ts";
import type { MtlsMode } from "../registry/peer-authentication.ts";
import { SNIFFED_HTTP } from "./listener-parts.ts";

export interface ChainShape {
  readonly http: boolean;
  /** Terminates mesh mutual TLS. */
  readonly meshTls: boolean;
  readonly transport: "tls" | "raw_buffer" | undefined;
  /** ALPN tokens, or what the HTTP inspector found, one of which must be there; empty: any. */
  readonly alpn: readonly string[];
  /** What the server's TLS context offers. */
  readonly serverAlpn: readonly string[];
}

// A client that offers several tokens is matched by the first that some chain has: an HTTP client names these before `istio`.
const MESH_HTTP = [Alpn.meshTransport, Alpn.meshHttp10, Alpn.meshHttp11, Alpn.meshHttp2];
const MESH_TCP = [Alpn.meshTcp];
const MESH_ANY = [...MESH_HTTP, ...MESH_TCP];
// In the server's order of preference: two of our sidecars agree on the mesh transport; another's gets the name that both
// ends read the version from (its `istio-…` tokens only say which chain it means).
const HTTP_ALPN = [
  Alpn.meshTransport,
  Alpn.http2,
  Alpn.http11,
  Alpn.http10,
  Alpn.meshHttp2,
  Alpn.meshHttp11,
  Alpn.meshHttp10,
  Alpn.meshTcp,
];

const meshHttp = (alpn: readonly string[]): ChainShape => ({
  http: true,
  meshTls: true,
  transport: "tls",
  alpn,
  serverAlpn: HTTP_ALPN,
});
const meshTcp = (alpn: readonly string[]): ChainShape => ({
  http: false,
  meshTls: true,
  transport: "tls",
  alpn,
  serverAlpn: [Alpn.meshTcp],
});
const plain = (http: boolean, transport: ChainShape["transport"], alpn: readonly string[] = []): ChainShape => ({
  http,
  meshTls: false,
  transport,
  alpn,
  serverAlpn: [],
});

/** TLS without a mesh token is the application's own: under PERMISSIVE and DISABLE it is passed on as bytes. */
const APPLICATION_TLS = plain(false, "tls");

/** `http` stands for both kinds of HTTP port: which version a client speaks is for the connection manager to see. TLS of the workload's own is bytes. */
const SHAPES: Readonly<Record<MtlsMode, Readonly<Record<"http" | "tcp" | "auto", readonly ChainShape[]>>>> = {
  STRICT: {
    http: [meshHttp([])],
    tcp: [meshTcp([])],
    auto: [meshHttp(MESH_HTTP), meshTcp([])],
  },
  PERMISSIVE: {
    http: [meshHttp(MESH_ANY), plain(true, "raw_buffer"), APPLICATION_TLS],
    tcp: [meshTcp(MESH_TCP), plain(false, "raw_buffer"), APPLICATION_TLS],
    auto: [meshHttp(MESH_HTTP), plain(true, "raw_buffer", SNIFFED_HTTP), meshTcp(MESH_TCP), plain(false, "raw_buffer"), APPLICATION_TLS],
  },
  DISABLE: {
    http: [plain(true, "raw_buffer"), APPLICATION_TLS],
    tcp: [plain(false, undefined)],
    auto: [plain(true, "raw_buffer", SNIFFED_HTTP), plain(false, undefined)],
  },
};

export function chainShapes(protocol: PortProtocol, mode: MtlsMode): readonly ChainShape[] {
  return SHAPES[mode][protocol === "http2" ? "http" : protocol === "tls" ? "tcp" : protocol];
}

/** Whether TLS or not, or what the ClientHello says, makes a difference. */
export function looksForTls(shape: ChainShape): boolean {
  return shape.transport !== undefined;
}

/** Whether plaintext that is HTTP makes a difference to other plaintext. */
export function looksForHttp(shape: ChainShape): boolean {
  return !shape.meshTls && shape.alpn.length > 0;
}
