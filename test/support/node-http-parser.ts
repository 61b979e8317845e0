// What Node's own HTTP parser, with its default strictness, reads from bytes. The server gets them through a pair of
// streams instead of a socket: its parser and checks are the same, and thousands of messages a second go through.
import { createServer, request as startRequest, type IncomingMessage, type Server, type ServerResponse } from "node:http";
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
  /** Why, in Node's words. */
  readonly reason: string;
}

interface Incoming {
  readonly request: IncomingMessage;
  body: string;
}

export class NodeHttpParser {
  readonly #server: Server;
  #incoming: Incoming[] = [];
  #requests: string[] = [];
  #refused = false;
  #reason = "";

  constructor() {
    const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
      const incoming: Incoming = { request, body: "" };
      this.#incoming.push(incoming);
      request.setEncoding("latin1");
      request.on("data", (chunk: string) => (incoming.body += chunk));
      request.on("error", () => undefined);
      request.on("end", () => response.end());
    };
    // An upgrade is a request like others, and so is one with an expectation.
    this.#server = createServer({ requireHostHeader: true, maxHeaderSize: 61440, shouldUpgradeCallback: () => false }, onRequest);
    this.#server.on("checkExpectation", onRequest);
    // What comes before FIN is answered, all of it.
    (this.#server as Server & { httpAllowHalfOpen: boolean }).httpAllowHalfOpen = true;
    this.#server.on("connect", (request: IncomingMessage, socket: Duplex) => {
      this.#incoming.push({ request, body: "" });
      socket.end();
    });
    this.#server.on("clientError", (error: NodeJS.ErrnoException & { reason?: string }, socket) => {
      // Before the socket is gone: what was parsed in the same turn has not been delivered yet.
      this.#takeWhole();
      this.#refused = true;
      this.#reason = `${error.code} ${error.reason ?? ""}`;
      socket.destroy();
    });
  }

  /** Notes the requests that the parser has seen whole; answers whether there is another. */
  #takeWhole(): boolean {
    for (const incoming of this.#incoming) {
      const { request } = incoming;
      // Emits what is there, a piece a call.
      while (request.read() !== null);
      if (request.complete || request.method === "CONNECT") this.#requests.push(`${request.method} ${request.url} ${incoming.body}`);
    }
    const open = this.#incoming.length > this.#requests.length;
    this.#incoming = [];
    return open;
  }

  async read(bytes: string): Promise<NodeReading> {
    this.#incoming = [];
    this.#requests = [];
    this.#refused = false;
    this.#reason = "";
    const [client, side] = duplexPair();
    let answers = "";
    client.on("data", (chunk: Buffer) => (answers += chunk.latin1Slice()));
    client.on("error", () => undefined);
    this.#server.emit("connection", side);
    // FIN says that no more comes, where Node waits for more.
    client.end(Buffer.from(bytes, "latin1"));
    await settle();
    const open = this.#refused ? false : this.#takeWhole();
    client.destroy();
    side.destroy();
    // Some refusals (no Host, another expectation) are answers of the server, not of its parser.
    const answered = /^HTTP\/1\.1 (4\d\d)/m.exec(answers)?.[1];
    const refused = this.#refused || open || answered !== undefined;
    return { requests: this.#requests, refused, reason: this.#reason !== "" ? this.#reason : (answered ?? (refused ? "incomplete" : "")) };
  }
}

export interface NodeResponse {
  /** `STATUS body` of the final response; undefined where it is refused. */
  readonly read: string | undefined;
  /** Why, in Node's words. */
  readonly reason: string;
}

/** What Node's client reads of an answer to its request, which FIN ends. */
export async function nodeReadsResponse(method: string, bytes: string): Promise<NodeResponse> {
  const [client, side] = duplexPair();
  let read: string | undefined;
  let reason = "incomplete";
  // The parser's own words count more than what follows from them.
  const onError = (error: NodeJS.ErrnoException & { reason?: string }): void => {
    if (!reason.startsWith("HPE_")) reason = `${error.code} ${error.reason ?? ""}`;
  };
  const request = startRequest({ method, createConnection: () => client }, (response) => {
    let body = "";
    response.setEncoding("latin1");
    response.on("data", (chunk: string) => (body += chunk));
    response.on("error", onError);
    response.on("end", () => {
      if (response.complete) read = `${response.statusCode} ${body}`;
    });
  });
  request.on("error", onError);
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
  return { read, reason: read === undefined ? reason : "" };
}
