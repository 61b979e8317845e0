// HTTP of the admin and Prometheus ports: finds the command, checks the method, writes the answer's headers.
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { renderPrometheus } from "../telemetry/stats-prometheus.ts";
import { parseStatsQuery } from "../telemetry/stats-query.ts";
import type { StatsReader } from "../telemetry/stats-reader.ts";
import type { AdminContext } from "./admin-server.ts";
import { badRequest, text } from "./answer.ts";
import type { Answer } from "./answer.ts";
import { COMMANDS } from "./commands.ts";
import { helpText } from "./help.ts";

// A server that gets its connections handed over doesn't run node:http's own check of slow requests (Node 26.10).
const SILENCE_MS = 60_000;

export function adminHttp(context: AdminContext): Server {
  const server = createServer((request, response) => {
    request.resume();
    answer(context, request).then(
      (result) => {
        if (result.afterwards !== undefined) response.on("finish", result.afterwards);
        send(response, result);
      },
      (error: unknown) => send(response, { ...text(`error: ${error instanceof Error ? error.message : String(error)}\n`), status: 500 }),
    );
  });
  return server.setTimeout(SILENCE_MS);
}

export function prometheusHttp(stats: StatsReader): Server {
  const server = createServer((request, response) => {
    request.resume();
    const { pathname, searchParams } = target(request);
    if (pathname !== "/stats/prometheus") return send(response, { ...text("not found\n"), status: 404 });
    void prometheus(stats, searchParams).then((result) => send(response, result));
  });
  return server.setTimeout(SILENCE_MS);
}

async function answer(context: AdminContext, request: IncomingMessage): Promise<Answer> {
  const { pathname, searchParams } = target(request);
  const command = COMMANDS.get(pathname);
  if (command === undefined) return { ...text(`invalid path. ${helpText(COMMANDS)}`), status: 404 };
  if (command.post && request.method !== "POST") {
    return { ...text(`Method ${request.method ?? ""} not allowed, POST required.`), status: 405 };
  }
  return command.run(context, searchParams);
}

async function prometheus(stats: StatsReader, query: URLSearchParams): Promise<Answer> {
  const parsed = parseStatsQuery(query);
  if (!parsed.ok) return badRequest(parsed.problems[0]!.message);
  await stats.settle();
  return text(renderPrometheus(stats, parsed.value));
}

function target(request: IncomingMessage): URL {
  // Only path and query count; a target that is no URL is an unknown path.
  return URL.parse(request.url ?? "/", "http://admin") ?? new URL("http://admin/invalid");
}

function send(response: ServerResponse, { status, type, body }: Answer): void {
  response.writeHead(status, {
    "content-type": type,
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-cache, max-age=0",
    "x-content-type-options": "nosniff",
  });
  // For HEAD node:http itself leaves the body out.
  response.end(body);
}
