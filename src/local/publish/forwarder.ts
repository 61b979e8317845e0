// The app in the ingress pod: takes a connection from outside and calls the published Service, as any client app does.
// HTTP is passed on with the Service's own name as Host or authority, so that the sidecar finds the route; other bytes as
// they come.
import http from "node:http";
import type http2 from "node:http2";
import net from "node:net";
import { pipeline } from "node:stream";
import { relay } from "../network/relay.ts";
import { makeHttp2Forwarder } from "./http2-forwarder.ts";

export interface Forward {
  readonly port: number;
  readonly host: string;
  readonly targetPort: number;
}

const METHOD = /^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|TRACE) /;
const LONGEST_METHOD = 8;
// RFC 9113 §3.4, as far as a method goes.
const HTTP2_PREFACE = "PRI * HT";
/** A client that says nothing gets a plain TCP connection: in some protocols the server speaks first. */
const SILENCE_MS = 300;

/** `<port>=<host>:<target port>`. */
export function parseForward(text: string): Forward {
  const [, port, host, targetPort] = /^(\d+)=(.+):(\d+)$/.exec(text) ?? [];
  if (port === undefined || host === undefined || targetPort === undefined) throw new Error(`not a forward: ${text}`);
  return { port: Number(port), host, targetPort: Number(targetPort) };
}

export function startForwarder(forward: Forward): Promise<net.Server> {
  const agent = new http.Agent({ keepAlive: true });
  const web = http.createServer((request, response) => forwardRequest(forward, agent, request, response));
  web.on("upgrade", (request, socket, head) => forwardUpgrade(forward, request, socket as net.Socket, head));
  const web2 = makeHttp2Forwarder(`http://${forward.host}:${forward.targetPort}`, hostHeader(forward));
  const server = net.createServer({ allowHalfOpen: true }, (socket) => dispatch(socket, forward, web, web2));
  return new Promise((resolve, reject) => server.once("error", reject).listen(forward.port, "127.0.0.1", () => resolve(server)));
}

function dispatch(socket: net.Socket, forward: Forward, web: http.Server, web2: http2.Http2Server): void {
  socket.on("error", () => socket.destroy());
  const decide = (server: net.Server | undefined): void => {
    clearTimeout(silence);
    socket.off("readable", onReadable);
    if (server === undefined) tunnel(socket, forward);
    else server.emit("connection", socket);
  };
  const onReadable = (): void => {
    const head = socket.read() as Buffer | null;
    if (head === null) return;
    socket.unshift(head);
    const text = head.toString("latin1", 0, LONGEST_METHOD);
    if (METHOD.test(text)) decide(web);
    else if (text === HTTP2_PREFACE) decide(web2);
    else if (!HTTP2_PREFACE.startsWith(text) && (text.length >= LONGEST_METHOD || !/^[A-Z]*$/.test(text))) decide(undefined);
  };
  const silence = setTimeout(() => decide(undefined), SILENCE_MS);
  socket.on("readable", onReadable);
}

function tunnel(socket: net.Socket, forward: Forward): void {
  const upstream = net.connect({ host: forward.host, port: forward.targetPort, allowHalfOpen: true });
  relay(socket, upstream);
}

function hostHeader(forward: Forward): string {
  return forward.targetPort === 80 ? forward.host : `${forward.host}:${forward.targetPort}`;
}

/** The request's own headers in their order and case, with another Host and the outer one beside it. */
function forwardedHeaders(forward: Forward, request: http.IncomingMessage): string[] {
  const headers = [];
  for (let index = 0; index < request.rawHeaders.length; index += 2) {
    const name = request.rawHeaders[index] ?? "";
    const value = request.rawHeaders[index + 1] ?? "";
    if (name.toLowerCase() === "host") headers.push("Host", hostHeader(forward), "X-Forwarded-Host", value);
    else headers.push(name, value);
  }
  return headers;
}

function forwardRequest(forward: Forward, agent: http.Agent, request: http.IncomingMessage, response: http.ServerResponse): void {
  const call = http.request({
    host: forward.host,
    port: forward.targetPort,
    method: request.method,
    path: request.url,
    agent,
    setHost: false,
    headers: forwardedHeaders(forward, request) as unknown as http.OutgoingHttpHeaders,
  });
  call.on("response", (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.statusMessage ?? "", answer.rawHeaders);
    pipeline(answer, response, () => undefined);
  });
  call.on("error", (error) => {
    if (response.headersSent) return void response.destroy();
    response
      .writeHead(502, { "content-type": "text/plain" })
      .end(`meshctl-ingress: ${forward.host}:${forward.targetPort}: ${error.message}\n`);
  });
  response.on("close", () => call.destroy());
  pipeline(request, call, () => undefined);
}

function forwardUpgrade(forward: Forward, request: http.IncomingMessage, socket: net.Socket, head: Buffer): void {
  const upstream = net.connect({ host: forward.host, port: forward.targetPort, allowHalfOpen: true }, () => {
    const headers = forwardedHeaders(forward, request);
    let text = `${request.method ?? "GET"} ${request.url ?? "/"} HTTP/1.1\r\n`;
    for (let index = 0; index < headers.length; index += 2) text += `${headers[index]}: ${headers[index + 1]}\r\n`;
    upstream.write(`${text}\r\n`, "latin1");
    upstream.write(head);
    relay(socket, upstream);
  });
  upstream.on("error", () => socket.destroy());
}
