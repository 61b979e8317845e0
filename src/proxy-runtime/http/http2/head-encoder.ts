// Heads as HTTP/2 header blocks (RFC 9113 §8.3). One per connection: HPACK's table is the connection's.
import { HEADER_NAMES, HeaderId, REMOVED } from "../header-id.ts";
import type { HeaderList } from "../header-list.ts";
import { connectionOptions } from "../http1/connection-options.ts";
import { isUsualReason } from "../reason-phrases.ts";
import type { RequestHead, ResponseHead } from "../stream.ts";
import { HpackEncoder } from "./hpack/encoder.ts";
import { KEPT_10 } from "./request-fields.ts";

// Beyond its name and value a field takes at most this.
const FIELD_OVERHEAD_BYTES = 16;

const { host: HOST, te: TE, connection: CONNECTION, upgrade: UPGRADE } = HeaderId;
const METHOD = HeaderId[":method"];
const PATH = HeaderId[":path"];
const SCHEME = HeaderId[":scheme"];
const AUTHORITY = HeaderId[":authority"];
const STATUS = HeaderId[":status"];
const PROTOCOL = HeaderId[":protocol"];
const VERSION = HeaderId[":version"];
const TARGET = HeaderId[":target"];
const REASON = HeaderId[":reason"];

// §8.2.2: what belongs to one connection.
const SKIPPED = new Uint8Array(HEADER_NAMES.length);
for (const name of ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"] as const) SKIPPED[HeaderId[name]] = 1;
const SKIPPED_WITH_HOST = SKIPPED.slice();
SKIPPED_WITH_HOST[HOST] = 1;
const SKIPPED_WITH_LENGTH = SKIPPED.slice();
SKIPPED_WITH_LENGTH[HeaderId["content-length"]] = 1;

const STATUS_TEXT = Array.from({ length: 1000 }, (_, status) => String(status));

// Shared by all connections of the thread: a block is copied into a frame before the next is encoded.
let scratch: Buffer = Buffer.allocUnsafeSlow(16384);

function keepTrailersOnly(headers: HeaderList): void {
  const members = headers.joined(TE)!.split(",");
  if (members.some((each) => each.trim().toLowerCase() === "trailers")) headers.set(TE, "trailers");
  else headers.remove(TE);
}

/** Whether its application may keep the connection is for the client to say; see request-fields.ts. */
function versionOf10(headers: HeaderList): string {
  return headers.has(CONNECTION) && connectionOptions(headers).includes("keep-alive") ? KEPT_10 : "1.0";
}

export class HeadEncoder {
  /** What the last call encoded is block[0, length). */
  length = 0;
  readonly hpack: HpackEncoder;
  readonly #isMesh: boolean;

  /**
   * @param maxTableBytes most that HPACK's table may hold, whatever the peer allows.
   * @param isMesh the peer is a meshctl, too: names keep their case, and what HTTP/1 had goes in private pseudo-headers.
   */
  constructor(maxTableBytes: number, isMesh: boolean) {
    this.#isMesh = isMesh;
    this.hpack = new HpackEncoder(maxTableBytes, isMesh);
  }

  get block(): Buffer {
    return scratch;
  }

  request(head: RequestHead): void {
    const { upgrade, headers } = head;
    this.length = this.hpack.begin(scratch, 0);
    const isExtendedConnect = upgrade !== "" && upgrade !== "connect";
    this.#field(METHOD, ":method", isExtendedConnect ? "CONNECT" : head.method);
    // Others compare it with the registered `websocket`, whatever the client's case.
    if (isExtendedConnect) this.#field(PROTOCOL, ":protocol", this.#isMesh ? (headers.joined(UPGRADE) ?? upgrade) : upgrade);
    // RFC 9113 §8.5: plain CONNECT has an authority only.
    if (upgrade !== "connect") {
      this.#field(SCHEME, ":scheme", head.scheme);
      this.#field(PATH, ":path", head.path);
    }
    // HTTP/1's own Host says it, in its case and place.
    const keepsHost = this.#isMesh && head.protocol !== "HTTP/2" && headers.has(HOST);
    if (!keepsHost) this.#field(AUTHORITY, ":authority", head.authority);
    if (this.#isMesh && head.protocol !== "HTTP/2") {
      this.#field(VERSION, ":version", head.protocol === "HTTP/1.0" ? versionOf10(headers) : "1.1");
      if (head.isAbsoluteForm) this.#field(TARGET, ":target", "absolute");
    }
    this.#fields(headers, keepsHost ? SKIPPED : SKIPPED_WITH_HOST);
  }

  /**
   * @param status what to say in place of the head's own: 200 for the 101 of an upgrade (RFC 8441 §4).
   * @param opensTunnel DATA that follows is no content.
   */
  response(head: ResponseHead, status: number, opensTunnel: boolean): void {
    this.length = this.hpack.begin(scratch, 0);
    this.#field(STATUS, ":status", STATUS_TEXT[status] ?? String(status));
    if (this.#isMesh && head.reason !== "" && !isUsualReason(status, head.reason)) this.#field(REASON, ":reason", head.reason);
    // Of several that were offered.
    if (this.#isMesh && status === 101 && head.headers.has(UPGRADE)) this.#field(UPGRADE, "upgrade", head.headers.joined(UPGRADE)!);
    // RFC 9110 §8.6: these have no content whose length could be told.
    this.#fields(head.headers, opensTunnel || status < 200 || status === 204 ? SKIPPED_WITH_LENGTH : SKIPPED);
  }

  trailers(trailers: HeaderList): void {
    this.length = this.hpack.begin(scratch, 0);
    this.#fields(trailers, SKIPPED_WITH_HOST);
  }

  #fields(headers: HeaderList, skipped: Uint8Array): void {
    // RFC 9113 §8.2.2: only `trailers`, which an HTTP/1 client may have said among others.
    if (headers.has(TE) && headers.joined(TE)!.toLowerCase() !== "trailers") keepTrailersOnly(headers);
    const { ids } = headers;
    for (let index = 0; index < ids.length; index += 1) {
      const id = ids[index]!;
      if (id !== REMOVED && skipped[id] === 0)
        this.#field(id, headers.nameAt(index), headers.valueAt(index), headers.isNeverIndexedAt(index));
    }
  }

  #field(id: number, name: string, value: string, isNeverIndexed = false): void {
    const room = name.length + value.length + FIELD_OVERHEAD_BYTES;
    if (this.length + room > scratch.length) {
      const grown = Buffer.allocUnsafeSlow(2 * (scratch.length + room));
      scratch.copy(grown, 0, 0, this.length);
      scratch = grown;
    }
    this.length = this.hpack.encode(scratch, this.length, id, name, value, isNeverIndexed);
  }
}
