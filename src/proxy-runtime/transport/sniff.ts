// Looks at the first bytes of an accepted connection without taking them: TLS or plaintext, server name and ALPN, HTTP
// or not. Bytes are read on 'readable' and put back, so that TLS or a codec starts at the beginning; the shared read
// buffer comes after this, on the final socket.
import type { Socket } from "node:net";
import { Alpn } from "../../xds/names.ts";
import { readClientHello } from "./client-hello.ts";
import { TimerEntry, type Timers } from "./timers.ts";

export interface Sniffed {
  readonly transport: "tls" | "raw_buffer";
  readonly serverName: string;
  /** From the ClientHello; for plaintext the HTTP version's token where http was recognised, else empty. */
  readonly applicationProtocols: readonly string[];
}

export interface SniffOptions {
  readonly tls: boolean;
  readonly http: boolean;
  /** 0: wait for ever. */
  readonly timeoutMs: number;
}

const NO_BYTES = Buffer.alloc(0);
const NOTHING: Sniffed = { transport: "raw_buffer", serverName: "", applicationProtocols: [] };
const MAX_HELLO_BYTES = 65536;
const MAX_REQUEST_LINE_BYTES = 8192;

/** Decides on the bytes so far; undefined asks for more. */
export function inspect(bytes: Buffer, options: SniffOptions): Sniffed | undefined {
  if (bytes.length === 0) return undefined;
  if (options.tls && bytes[0] === 0x16) {
    const hello = readClientHello(bytes);
    if (hello === "incomplete") return bytes.length > MAX_HELLO_BYTES ? NOTHING : undefined;
    if (hello === "invalid") return NOTHING;
    return { transport: "tls", serverName: hello.serverName, applicationProtocols: hello.alpn };
  }
  if (!options.http) return NOTHING;
  return inspectHttp(bytes);
}

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

function inspectHttp(bytes: Buffer): Sniffed | undefined {
  const text = bytes.latin1Slice(0, Math.min(bytes.length, MAX_REQUEST_LINE_BYTES));
  if (PREFACE.startsWith(text.slice(0, PREFACE.length))) {
    return text.length < PREFACE.length ? undefined : { ...NOTHING, applicationProtocols: [Alpn.h2c] };
  }
  const lineEnd = text.indexOf("\n");
  if (lineEnd < 0) {
    // As long as it can still become a request line, wait for its end.
    if (text.length >= MAX_REQUEST_LINE_BYTES || !/^[A-Z][A-Za-z-]{0,19}(?: [^\x00-\x20]*(?: H?T?T?P?\/?[0-9]?\.?[0-9]?\r?)?)?$/.test(text))
      return NOTHING;
    return undefined;
  }
  const match = /^[A-Z][A-Za-z-]{0,19} [^\x00-\x20]+ HTTP\/1\.([01])\r?$/.exec(text.slice(0, lineEnd));
  if (match === null) return NOTHING;
  return { ...NOTHING, applicationProtocols: [match[1] === "1" ? Alpn.http11 : Alpn.http10] };
}

/**
 * Calls `done` once with what the connection is, or with undefined when it broke first. After the timeout `done` gets
 * what a silent connection is taken for, with `timedOut`.
 */
export function sniff(
  socket: Socket,
  options: SniffOptions,
  timers: Timers,
  done: (sniffed: Sniffed | undefined, timedOut: boolean) => void,
): void {
  let seen: Buffer = NO_BYTES;
  const timer = new TimerEntry({ onTimer: () => finish(NOTHING, true) }, 0);
  const finish = (sniffed: Sniffed | undefined, timedOut: boolean): void => {
    timers.disarm(timer);
    socket.off("readable", onReadable);
    socket.off("close", onClose);
    socket.off("error", onError);
    if (seen.length > 0 && !socket.destroyed) socket.unshift(seen);
    done(sniffed, timedOut);
  };
  const onReadable = (): void => {
    const chunk = socket.read() as Buffer | null;
    if (chunk !== null) seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk]);
    const sniffed = chunk === null ? undefined : inspect(seen, options);
    if (sniffed !== undefined) return finish(sniffed, false);
    // Nothing more will come: it is judged by what is there. Now, since after 'end' nothing can be put back.
    if (hasSentFin(socket)) finish(inspect(seen, options) ?? NOTHING, false);
  };
  const onClose = (): void => finish(undefined, false);
  const onError = (): void => undefined; // 'close' follows
  socket.on("readable", onReadable);
  socket.on("close", onClose);
  socket.on("error", onError);
  if (options.timeoutMs > 0) timers.arm(timer, options.timeoutMs);
  onReadable();
}

/** Its FIN is here, though bytes before it may not be read yet; `readableEnded` comes too late (Node 26.10). */
function hasSentFin(socket: Socket): boolean {
  return (socket as unknown as { readonly _readableState: { readonly ended: boolean } })._readableState.ended;
}
