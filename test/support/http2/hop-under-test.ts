// A running proxy as the connection that a script talks to, and behind it an HTTP/1 server that answers by path as
// server-under-test.ts does.
import { connectRaw, startRawServer, type RawPeer } from "../raw-peer.ts";
import { readRequest, summaryOf } from "../strict-reader.ts";
import { FrameLines } from "./frame-lines.ts";
import type { ScriptPeer } from "./script.ts";
import { BIG_BYTES, withoutOpening } from "./server-under-test.ts";

export interface AnsweringUpstream {
  readonly port: number;
  /** `METHOD path body`, and `|name,value` for trailers, of whole requests since the last `clear`. */
  readonly told: readonly string[];
  clear(): void;
  stop(): Promise<void>;
}

export async function startAnsweringUpstream(): Promise<AnsweringUpstream> {
  let told: string[] = [];
  const server = await startRawServer((peer) => {
    let answeredEarly = false;
    const read = (): void => {
      for (let next = readRequest(peer.text); next !== undefined; next = readRequest(peer.text)) {
        peer.text = peer.text.slice(next.text.length);
        const summary = summaryOf(next.joined);
        told.push(summary + trailersOf(next.joined));
        const path = summary.split(" ")[1]!;
        if (path === "/wait" || answeredEarly) continue;
        const body = path === "/big" ? "x".repeat(BIG_BYTES) : "ok";
        peer.write(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
      }
      if (!answeredEarly && /^POST \/early [^]*\r\n\r\n/.test(peer.text)) {
        answeredEarly = true;
        peer.write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
      }
    };
    peer.socket.on("data", read);
    peer.socket.on("end", () => peer.end());
  });
  return {
    port: server.port,
    stop: () => server.stop(),
    get told() {
      return told;
    },
    clear() {
      told = [];
    },
  };
}

function trailersOf(request: string): string {
  if (!/\r\ntransfer-encoding: chunked\r\n/i.test(request)) return "";
  const lines = request.split("\r\n0\r\n").at(-1)!.split("\r\n").filter(Boolean);
  return lines.length === 0 ? "" : `|${lines.map((line) => line.replace(": ", ",")).join()}`;
}

export class HopUnderTest implements ScriptPeer {
  readonly #peer: RawPeer;
  readonly #upstream: AnsweringUpstream;
  readonly #showsOpening: boolean;
  readonly #frames = new FrameLines({ showsField: (name) => name === ":status" });

  private constructor(peer: RawPeer, upstream: AnsweringUpstream, showsOpening: boolean) {
    this.#peer = peer;
    this.#upstream = upstream;
    this.#showsOpening = showsOpening;
  }

  static async connect(port: number, upstream: AnsweringUpstream, showsOpening: boolean): Promise<HopUnderTest> {
    upstream.clear();
    return new HopUnderTest(await connectRaw(port), upstream, showsOpening);
  }

  get lines(): readonly string[] {
    this.#frames.push(Buffer.from(this.#peer.text, "latin1"));
    this.#peer.clear();
    return this.#showsOpening ? this.#frames.lines : withoutOpening(this.#frames.lines);
  }

  get isClosed(): boolean {
    return this.#peer.ended || this.#peer.closed;
  }

  get told(): readonly string[] {
    return this.#upstream.told;
  }

  async write(bytes: Buffer): Promise<void> {
    this.#peer.socket.write(bytes);
    await new Promise(setImmediate);
  }

  ask(request: string): void {
    throw new Error(`a server is not asked: ${request}`);
  }

  async until(predicate: () => boolean): Promise<void> {
    // What the upstream is told has no event here.
    const deadline = performance.now() + 3000;
    while (!predicate() && performance.now() < deadline) await new Promise(setImmediate);
  }

  close(): void {
    this.#peer.destroy();
  }
}
