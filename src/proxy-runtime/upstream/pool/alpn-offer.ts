// What a pool offers in ALPN, and what the answer means.
import { Alpn } from "../../../xds/names.ts";
import type { UpstreamTlsConfig } from "../../config/tls-config.ts";

/** What a pool's connections speak; `auto` and `mesh` learn it from the peer's answer. */
export type PoolKind = "http1" | "http2" | "auto" | "mesh";

// To a sidecar of the mesh: what is inside, said in a token that its filter chains match on; the others are for peers
// that don't know it.
const MESH_HTTP1 = [Alpn.meshHttp11, Alpn.meshTcp, Alpn.http11];
const MESH_HTTP2 = [Alpn.meshHttp2, Alpn.meshTcp, Alpn.http2];

/** The peer may be a meshctl that takes all requests on one connection. */
export function offersMeshTransport(tls: UpstreamTlsConfig | undefined): boolean {
  return tls !== undefined && tls.alpn.includes(Alpn.meshTransport);
}

/** @param isHttp2 the request that wants a connection came over HTTP/2. */
export function alpnOffer(tls: UpstreamTlsConfig, kind: PoolKind, isHttp2: boolean): readonly string[] {
  if (kind === "mesh") return [Alpn.meshTransport, ...(isHttp2 ? MESH_HTTP2 : MESH_HTTP1)];
  if (tls.alpn.includes(Alpn.meshTcp)) return kind === "http1" || (kind === "auto" && !isHttp2) ? MESH_HTTP1 : MESH_HTTP2;
  const configured = tls.alpn.filter((each) => each !== Alpn.meshTransport);
  if (kind === "http1") return configured.filter((each) => each !== Alpn.http2);
  if (kind === "http2") return configured.length > 0 ? configured : [Alpn.http2];
  return configured.length > 0 ? configured : [Alpn.http2, Alpn.http11];
}

/** What a new connection of such a pool speaks. */
export function spokenProtocol(kind: PoolKind, agreed: string): "http1" | "http2" | "mesh" {
  if (agreed === Alpn.meshTransport) return "mesh";
  if (kind === "http1" || kind === "http2") return kind;
  return agreed === Alpn.http2 || agreed === Alpn.meshHttp2 ? "http2" : "http1";
}
