// One request without a body over a connection of its own, on node:net and node:tls: how the sidecar asks its own application. node:http
// would cost each sidecar 3 MB for a probe every few seconds.
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";

export interface RequestOrder {
  readonly method?: "GET" | "POST";
  readonly host: string;
  readonly port: number;
  /** Any certificate is taken, as kubelet's probes do. */
  readonly tls: boolean;
  readonly localAddress?: string | undefined;
  readonly target: string;
  /** All of them, `Host` too. */
  readonly headers: readonly (readonly [string, string])[];
  /** What is more is cut off. */
  readonly maxBodyBytes: number;
  readonly signal: AbortSignal;
}

export interface PlainResponse {
  readonly status: number;
  /** By lower-case name. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
  readonly isCut: boolean;
}

const MAX_HEAD_BYTES = 65_536;

/** @throws Error where no whole answer comes. */
export function plainRequest(order: RequestOrder): Promise<PlainResponse> {
  return new Promise((resolve, reject) => {
    order.signal.throwIfAborted();
    const { host, port, localAddress } = order;
    // A name is asked for by SNI; addresses have none (RFC 6066 §3).
    const socket: Socket = order.tls
      ? connectTls({ host, port, ...withLocal(localAddress), rejectUnauthorized: false })
      : connectTcp({ host, port, ...withLocal(localAddress) });
    const reader = new ResponseReader(order.maxBodyBytes);
    const onAbort = (): void => finish(() => reject(new Error("given up")));
    const finish = (settle: () => void): void => {
      order.signal.removeEventListener("abort", onAbort);
      socket.destroy();
      settle();
    };
    const step = (act: () => PlainResponse | undefined): void => {
      try {
        const response = act();
        if (response !== undefined) finish(() => resolve(response));
      } catch (error) {
        finish(() => reject(error instanceof Error ? error : new Error(String(error))));
      }
    };
    order.signal.addEventListener("abort", onAbort);
    socket.on("error", (error) => finish(() => reject(error)));
    socket.on("data", (chunk: Buffer) => step(() => reader.push(chunk)));
    socket.on("end", () => step(() => reader.end()));
    socket.write(
      `${order.method ?? "GET"} ${order.target} HTTP/1.1\r\n${order.headers.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`,
    );
  });
}

function withLocal(localAddress: string | undefined): { localAddress?: string } {
  return localAddress === undefined ? {} : { localAddress };
}

class ResponseReader {
  readonly #maxBodyBytes: number;
  #pending: Buffer = Buffer.alloc(0);
  #status = 0;
  #headers: ReadonlyMap<string, string> | undefined;
  readonly #body: Buffer[] = [];
  #bodyBytes = 0;
  /** Of the body, or of the present chunk; undefined: until the connection ends. */
  #left: number | undefined = undefined;
  #isChunked = false;

  constructor(maxBodyBytes: number) {
    this.#maxBodyBytes = maxBodyBytes;
  }

  push(chunk: Buffer): PlainResponse | undefined {
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    while (this.#headers === undefined) {
      const end = this.#pending.indexOf("\r\n\r\n");
      if (end < 0 && this.#pending.length <= MAX_HEAD_BYTES) return undefined;
      if (end < 0) throw new Error(`a head of more than ${MAX_HEAD_BYTES} bytes`);
      this.#readHead(this.#take(end + 4).toString("latin1"));
    }
    return this.#isChunked ? this.#readChunks() : this.#readBody();
  }

  /** The connection has ended. */
  end(): PlainResponse {
    if (this.#headers === undefined) throw new Error("the connection ended without an answer");
    if (this.#isChunked || this.#left !== undefined) throw new Error("the connection ended in the middle of the answer");
    return this.#response(false);
  }

  #readHead(text: string): void {
    const [line = "", ...fields] = text.split("\r\n");
    const status = /^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(line)?.[1];
    if (status === undefined) throw new Error(`not an HTTP/1.1 answer: ${JSON.stringify(line.slice(0, 40))}`);
    this.#status = Number(status);
    // RFC 9110 §15.2: the final answer follows an interim one.
    if (this.#status < 200 && this.#status !== 101) return;
    const headers = new Map<string, string>();
    for (const field of fields) {
      const colon = field.indexOf(":");
      if (colon > 0) headers.set(field.slice(0, colon).toLowerCase(), field.slice(colon + 1).trim());
    }
    this.#headers = headers;
    // RFC 9112 §6.3: which of them tells the body's length.
    const length = headers.get("content-length");
    this.#isChunked = headers.get("transfer-encoding")?.toLowerCase().endsWith("chunked") === true;
    if (this.#isChunked) this.#left = 0;
    else if (this.#status === 204 || this.#status === 304) this.#left = 0;
    else if (length !== undefined) this.#left = /^\d+$/.test(length) ? Number(length) : fail(`content-length: ${length}`);
  }

  #readBody(): PlainResponse | undefined {
    const bytes = this.#take(Math.min(this.#pending.length, this.#left ?? Infinity));
    if (this.#left !== undefined) this.#left -= bytes.length;
    return this.#keep(bytes) ?? (this.#left === 0 ? this.#response(false) : undefined);
  }

  /** RFC 9112 §7.1. `#left` counts the line end behind a chunk, too. */
  #readChunks(): PlainResponse | undefined {
    for (;;) {
      if (this.#left !== undefined && this.#left > 0) {
        const bytes = this.#take(Math.min(this.#pending.length, this.#left));
        this.#left -= bytes.length;
        const isCut = this.#keep(bytes.subarray(0, bytes.length - Math.max(0, 2 - this.#left)));
        if (isCut !== undefined || this.#left > 0) return isCut;
      }
      const end = this.#pending.indexOf("\r\n");
      if (end < 0 && this.#pending.length > MAX_HEAD_BYTES) throw new Error("a chunk without a size");
      if (end < 0) return undefined;
      const size = /^[0-9a-f]{1,8}(?=$|[ \t;])/i.exec(this.#take(end + 2).toString("latin1", 0, end))?.[0];
      if (size === undefined) throw new Error("a chunk without a size");
      const bytes = Number.parseInt(size, 16);
      // Trailers, if any, say nothing that is asked here.
      if (bytes === 0) return this.#response(false);
      this.#left = bytes + 2;
    }
  }

  #keep(bytes: Buffer): PlainResponse | undefined {
    const room = this.#maxBodyBytes - this.#bodyBytes;
    this.#body.push(bytes.subarray(0, room));
    this.#bodyBytes += Math.min(bytes.length, room);
    return bytes.length > room ? this.#response(true) : undefined;
  }

  #take(bytes: number): Buffer {
    const taken = this.#pending.subarray(0, bytes);
    this.#pending = this.#pending.subarray(bytes);
    return taken;
  }

  #response(isCut: boolean): PlainResponse {
    return { status: this.#status, headers: this.#headers!, body: Buffer.concat(this.#body), isCut };
  }
}

function fail(what: string): never {
  throw new Error(`an answer that makes no sense: ${what}`);
}
