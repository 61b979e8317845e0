// The control plane's monitoring port (15014): readiness and metrics for everybody; and what it knows, as JSON, for whoever
// reaches the pod's loopback, as port-forwarding does: it names every service, address and identity of the mesh.
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { HostPort } from "../../common/address.ts";
import { bindError } from "../bind-error.ts";

export interface MonitoringViews {
  isReady(): boolean;
  metrics(): string;
  version(): string;
  /** By path; each gives a JSON-able value, or undefined when its query names nothing. */
  readonly debug: Readonly<Record<string, (query: URLSearchParams) => unknown>>;
}

const TEXT = "text/plain; charset=utf-8";

/** @throws UserError when the address is taken. */
export async function serveMonitoring(
  views: MonitoringViews,
  address: HostPort,
): Promise<{ readonly port: number; stop(): Promise<void> }> {
  const server = createServer((request, response) => {
    try {
      answer(views, request, response);
    } catch (error) {
      reply(response, 500, TEXT, `${error instanceof Error ? error.message : String(error)}\n`);
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => reject(bindError(error, address, "--monitoring-address")));
    server.listen(address.port, address.host, resolve);
  });
  return { port: (server.address() as AddressInfo).port, stop: () => close(server) };
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

function answer(views: MonitoringViews, request: IncomingMessage, response: ServerResponse): void {
  const url = URL.parse(request.url ?? "/", "http://monitoring");
  if (url === null) return reply(response, 400, TEXT, "the request's target can't be read\n");
  if (request.method !== "GET" && request.method !== "HEAD")
    return reply(response, 405, TEXT, `method ${request.method} not allowed, GET required\n`);
  if (url.pathname === "/ready") return views.isReady() ? reply(response, 200, TEXT, "ready\n") : reply(response, 503, TEXT, "not ready\n");
  if (url.pathname === "/metrics") return reply(response, 200, "text/plain; version=0.0.4; charset=utf-8", views.metrics());
  if (url.pathname === "/version") return reply(response, 200, TEXT, `${views.version()}\n`);
  if (url.pathname.startsWith("/debug") && !isLoopback(request.socket.remoteAddress)) {
    return reply(
      response,
      403,
      TEXT,
      `${url.pathname} answers on the loopback of this pod only; kubectl port-forward and meshctl reach it\n`,
    );
  }
  const view = Object.hasOwn(views.debug, url.pathname) ? views.debug[url.pathname] : undefined;
  if (view === undefined) {
    const known = ["/ready", "/metrics", "/version", ...Object.keys(views.debug).sort()];
    return reply(response, 404, TEXT, `nothing at ${url.pathname}; there are:\n${known.map((each) => `  ${each}\n`).join("")}`);
  }
  const value = view(url.searchParams);
  if (value === undefined)
    return reply(
      response,
      404,
      TEXT,
      `${url.pathname}: ${url.search === "" ? "needs ?proxyID=<pod>.<namespace>" : `${url.search} names nothing`}\n`,
    );
  reply(response, 200, "application/json", `${JSON.stringify(value, null, 2)}\n`);
}

function isLoopback(address: string | undefined): boolean {
  // Of IPv4 connections to a dual stack socket.
  const plain = address?.replace(/^::ffff:/, "") ?? "";
  return plain === "::1" || plain.startsWith("127.");
}

function reply(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(body), "cache-control": "no-cache" });
  response.end(response.req.method === "HEAD" ? undefined : body);
}
