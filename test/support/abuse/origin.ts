// The server behind the proxy, as a process of its own. HTTP by path: anything, /bytes/N (N bytes down), /never (no answer),
// and any POST is read to its end and answered with its length, to /slowly with stops. A second port gives back what it
// gets, and a FIN for a FIN.
import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { untilWritable } from "./bodies.ts";

export interface OriginPorts {
  readonly http: number;
  readonly echo: number;
}

const STALL_MS = 500;
const STOP_EVERY_BYTES = 16 * 1024 * 1024;
const STOP_MS = 30;
const BLOCK = Buffer.alloc(64 * 1024, "x");

async function sendBytes(response: ServerResponse, count: number): Promise<void> {
  response.writeHead(200, { "content-length": String(count) });
  for (let left = count; left > 0 && !response.destroyed; left -= BLOCK.length)
    if (!response.write(left < BLOCK.length ? BLOCK.subarray(0, left) : BLOCK)) await untilWritable(response);
  response.end();
}

async function countBody(request: IncomingMessage): Promise<number> {
  const isSlow = request.url?.startsWith("/slowly");
  let count = 0;
  let nextStop = STOP_EVERY_BYTES;
  if (isSlow) await delay(STALL_MS);
  for await (const piece of request) {
    count += (piece as Buffer).length;
    if (!isSlow || count < nextStop) continue;
    nextStop += STOP_EVERY_BYTES;
    await delay(STOP_MS);
  }
  return count;
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = request.url ?? "/";
  if (path.startsWith("/never")) return;
  if (request.method === "POST") {
    const count = await countBody(request).catch(() => undefined);
    if (count !== undefined) response.end(String(count));
    return;
  }
  if (path.startsWith("/bytes/")) return sendBytes(response, Number(path.slice("/bytes/".length)));
  response.end("small");
}

const http = createHttpServer({ keepAliveTimeout: 60_000, requestTimeout: 0 }, (request, response) => {
  response.on("error", () => undefined);
  void answer(request, response).catch(() => response.destroy());
});
http.on("clientError", (_error, socket) => socket.destroy());
const echo = createServer({ allowHalfOpen: true }, (socket) => {
  socket.on("error", () => socket.destroy());
  socket.pipe(socket);
});
const host = process.argv[2] ?? "127.0.0.1";
for (const server of [http, echo]) await once(server.listen(0, host), "listening");
const portOf = (server: typeof echo): number => (server.address() as AddressInfo).port;
console.log(JSON.stringify({ http: portOf(http), echo: portOf(echo) } satisfies OriginPorts));
process.stdin.once("end", () => process.exit(0)).resume();
