// A running proxy whose upstream speaks HTTP/2, as the client connection that a script talks to; HTTP/1 clients ask.
import { connectRaw, type RawPeer, type RawServer } from "../raw-peer.ts";
import { contentOf, SHOWN_REQUEST_FIELDS } from "./client-under-test.ts";
import { FrameLines } from "./frame-lines.ts";
import type { ScriptPeer } from "./script.ts";
import { withoutOpening } from "./server-under-test.ts";

/** The hosts of such proxies; each takes one connection for a script. */
export class ClientHop implements ScriptPeer {
  readonly #proxyPort: number;
  readonly #server: RawServer;
  readonly #showsOpening: boolean;
  readonly #frames = new FrameLines({ isFromClient: true, showsField: (name) => SHOWN_REQUEST_FIELDS.has(name) });
  readonly #first: number;
  readonly #clients: { peer: RawPeer; method: string; read: number; isOver: boolean }[] = [];
  readonly #told: string[] = [];
  #pending: Buffer[] = [];
  #opening: Promise<unknown>[] = [];

  /** @param server what `startRawServer` has started. */
  constructor(proxyPort: number, server: RawServer, showsOpening: boolean) {
    this.#proxyPort = proxyPort;
    this.#server = server;
    this.#showsOpening = showsOpening;
    this.#first = server.peers.length;
  }

  get #host(): RawPeer | undefined {
    return this.#server.peers[this.#first];
  }

  get lines(): readonly string[] {
    const host = this.#host;
    if (host === undefined) return [];
    this.#frames.push(Buffer.from(host.text, "latin1"));
    host.clear();
    return this.#showsOpening ? this.#frames.lines : withoutOpening(this.#frames.lines.slice(1));
  }

  get isClosed(): boolean {
    const host = this.#host;
    return host !== undefined && (host.ended || host.closed);
  }

  get told(): readonly string[] {
    for (const client of this.#clients) this.#hear(client);
    return this.#told;
  }

  #hear(client: { peer: RawPeer; method: string; read: number; isOver: boolean }): void {
    const { peer, method } = client;
    for (;;) {
      if (client.isOver) return;
      const text = peer.text.slice(client.read);
      const head = /^HTTP\/1\.1 (\d+) [^]*?\r\n\r\n/.exec(text);
      if (head === null) {
        client.isOver = peer.closed || peer.ended;
        return;
      }
      const status = Number(head[1]);
      if (status < 200) {
        this.#told.push(String(status));
        client.read += head[0].length;
        continue;
      }
      const flag = /\r\nx-mesh-error: (\w+);/.exec(head[0])?.[1];
      const rest = text.slice(head[0].length);
      const outcome = flag === undefined ? bodyOf(head[0], rest, method) : "";
      if (outcome === undefined && !(peer.closed || peer.ended)) return;
      client.isOver = true;
      const body = outcome !== undefined && outcome.length > 60 && !outcome.includes("|") ? `${outcome.length} bytes` : outcome;
      this.#told.push(flag !== undefined ? `${status} ${flag}` : outcome === undefined ? "cut" : `${status} ${body}`);
    }
  }

  async write(bytes: Buffer): Promise<void> {
    this.#pending.push(bytes);
    this.#flush();
    await new Promise(setImmediate);
  }

  #flush(): void {
    const host = this.#host;
    if (host === undefined) return;
    for (const bytes of this.#pending.splice(0)) if (!host.socket.writableEnded) host.socket.write(bytes);
  }

  ask(request: string): void {
    const [method, path, body] = request.split(" ") as [string, string, string | undefined];
    const client = connectRaw(this.#proxyPort).then((peer) => {
      const head = `${method} ${path} HTTP/1.1\r\nHost: a\r\n`;
      if (body === undefined) peer.write(`${head}\r\n`);
      else if (body === "…") peer.write(`${head}Transfer-Encoding: chunked\r\n\r\n`);
      else peer.write(`${head}Content-Length: ${contentOf(body).length}\r\n\r\n`).write(contentOf(body));
      this.#clients.push({ peer, method, read: 0, isOver: false });
    });
    this.#opening.push(client);
  }

  async until(predicate: () => boolean): Promise<void> {
    const deadline = performance.now() + 3000;
    await Promise.all(this.#opening);
    do {
      this.#flush();
      if (predicate()) return;
      await new Promise(setImmediate);
    } while (performance.now() < deadline);
  }

  close(): void {
    for (const { peer } of this.#clients) peer.destroy();
    for (const peer of this.#server.peers.slice(this.#first)) peer.destroy();
  }
}

/** The body, and `|name,value` for trailers; undefined while it is not whole. */
function bodyOf(head: string, text: string, method: string): string | undefined {
  const status = Number(head.slice(9, 12));
  if (method === "HEAD" || status === 204 || status === 304) return "";
  const length = /\r\ncontent-length: (\d+)\r\n/.exec(head)?.[1];
  if (length !== undefined) return text.length >= Number(length) ? text.slice(0, Number(length)) : undefined;
  let body = "";
  for (let at = 0; ;) {
    const line = /^([0-9a-f]+)\r\n/.exec(text.slice(at));
    if (line === null) return undefined;
    const size = parseInt(line[1]!, 16);
    at += line[0].length;
    if (size > 0) {
      if (text.length < at + size + 2) return undefined;
      body += text.slice(at, at + size);
      at += size + 2;
      continue;
    }
    const end = text.indexOf("\r\n\r\n", at - 2);
    if (end < 0) return undefined;
    const trailers = text.slice(at, end).split("\r\n").filter(Boolean);
    return trailers.length === 0 ? body : `${body}|${trailers.map((each) => each.replace(": ", ",")).join()}`;
  }
}
