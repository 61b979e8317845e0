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

const MESH_HTTP = [Alpn.meshHttp10, Alpn.meshHttp11];
const MESH_TCP = [Alpn.meshTcp];
const MESH_ANY = [...MESH_HTTP, ...MESH_TCP];

const meshHttp = (alpn: readonly string[]): ChainShape => ({
  http: true,
  meshTls: true,
  transport: "tls",
  alpn,
  serverAlpn: [Alpn.meshHttp11, Alpn.meshHttp10, Alpn.http11, Alpn.meshTcp],
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

const SHAPES: Readonly<Record<MtlsMode, Readonly<Record<PortProtocol, readonly ChainShape[]>>>> = {
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
  return SHAPES[mode][protocol];
}
