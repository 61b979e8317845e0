// What Node's own HTTP parser, with its default strictness, reads from bytes. The server gets them through a pair of
// streams instead of a socket: its parser and checks are the same, and thousands of messages a second go through.
import { createServer, request as startRequest, type IncomingMessage, type Server } from "node:http";
import { duplexPair, type Duplex } from "node:stream";

const TURNS = 12;

/** Lets everything that is under way in this process happen. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn += 1) await new Promise<void>((resolve) => setImmediate(resolve));
}

export interface NodeReading {
  /** `METHOD target body` of each whole request. */
  readonly requests: readonly string[];
  /** Something was left that is no whole, acceptable request. */
  readonly refused: boolean;
}

export class NodeHttpParser {
  readonly #server: Server;
  #requests: string[] = [];
  #open = 0;
  #refused = false;

  constructor() {
    this.#server = createServer({ requireHostHeader: true, maxHeaderSize: 61440 }, (request, response) => {
      this.#open += 1;
      let body = "";
      request.setEncoding("latin1");
      request.on("data", (chunk: string) => (body += chunk));
      request.on("error", () => undefined);
      request.on("end", () => {
        this.#open -= 1;
        this.#requests.push(`${request.method} ${request.url} ${body}`);
        response.end();
      });
    });
    this.#server.on("connect", (request: IncomingMessage, socket: Duplex) => {
      this.#requests.push(`CONNECT ${request.url} `);
      socket.end();
    });
    this.#server.on("clientError", (_error, socket) => {
      this.#refused = true;
      socket.destroy();
    });
  }

  async read(bytes: string): Promise<NodeReading> {
    this.#requests = [];
    this.#open = 0;
    this.#refused = false;
    const [client, side] = duplexPair();
    let answers = "";
    client.on("data", (chunk: Buffer) => (answers += chunk.latin1Slice()));
    client.on("error", () => undefined);
    this.#server.emit("connection", side);
    // FIN says that no more comes, where Node waits for more.
    client.end(Buffer.from(bytes, "latin1"));
    await settle();
    client.destroy();
    side.destroy();
    // Some refusals (no Host, another expectation) are answers of the server, not of its parser.
    return { requests: this.#requests, refused: this.#refused || this.#open > 0 || /^HTTP\/1\.1 4/m.test(answers) };
  }
}

/** `STATUS body` of the final response that Node's client reads, or undefined where it refuses the bytes. */
export async function nodeReadsResponse(method: string, bytes: string): Promise<string | undefined> {
  const [client, side] = duplexPair();
  let read: string | undefined;
  const request = startRequest({ method, createConnection: () => client }, (response) => {
    let body = "";
    response.setEncoding("latin1");
    response.on("data", (chunk: string) => (body += chunk));
    response.on("error", () => undefined);
    response.on("end", () => {
      if (response.complete) read = `${response.statusCode} ${body}`;
    });
  });
  request.on("error", () => undefined);
  request.on("upgrade", (response, socket) => {
    read = `${response.statusCode} `;
    socket.destroy();
  });
  side.on("error", () => undefined);
  side.resume();
  request.end();
  side.end(Buffer.from(bytes, "latin1"));
  await settle();
  request.destroy();
  client.destroy();
  side.destroy();
  return read;
}
