// Which HTTP version a downstream connection speaks: what ALPN has agreed on, what the configuration says, or else its
// first bytes (Envoy's codec_type AUTO).
import { Alpn } from "../../xds/names.ts";
import type { HttpConnectionManagerConfig } from "../config/listener-config.ts";
import { PREFACE } from "../http/http2/frame.ts";

export type CodecKind = "http1" | "http2" | "mesh";

/** undefined: the first bytes must tell. `alpn` is the token agreed on, empty without one. */
export function codecFor(codec: HttpConnectionManagerConfig["codec"], alpn: string): CodecKind | undefined {
  if (codec === "http1") return "http1";
  if (alpn === Alpn.meshTransport) return "mesh";
  if (codec === "http2" || alpn === Alpn.http2 || alpn === Alpn.meshHttp2) return "http2";
  return alpn === "" ? undefined : "http1";
}

// `PRI`: no other method begins like this (RFC 9113 §3.4).
const DECISIVE_BYTES = 3;

/** What these first bytes begin; undefined while too few to tell. */
export function codecOf(bytes: Uint8Array, length: number): CodecKind | undefined {
  for (let at = 0; at < DECISIVE_BYTES; at += 1) {
    if (at === length) return undefined;
    if (bytes[at] !== PREFACE[at]) return "http1";
  }
  return "http2";
}
