// The webhooks' port (15017): HTTPS for API servers, who send a review in a POST and wait for the answer.
import { createServer } from "node:https";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { HostPort } from "../../common/address.ts";
import type { ServerCertificate } from "../../ca/authority/server-certificate.ts";
import { bindError } from "../bind-error.ts";
import { parseReview, toReview } from "./admission-review.ts";
import type { AdmissionAnswer, AdmissionRequest } from "./admission-review.ts";

export interface WebhookServerOptions {
  readonly address: HostPort;
  readonly certificate: ServerCertificate;
  /** By path. */
  readonly reviewers: Readonly<Record<string, (request: AdmissionRequest) => AdmissionAnswer | Promise<AdmissionAnswer>>>;
  /** What came was no review, and got this answer. */
  readonly onBadRequest: (status: number, message: string) => void;
  /** A review failed by our own fault. */
  readonly onFailure: (path: string, error: Error) => void;
}

/** API servers take no request above 3 MB; a review has the object, sometimes twice. */
const MAX_BODY_BYTES = 8 * 2 ** 20;
/** Of all requests under way together: anybody can connect. */
const MAX_BODIES_BYTES = 4 * MAX_BODY_BYTES;
const HEAD_TIMEOUT_MS = 5_000;
/** Longer than the API server's patience, 5 s. */
const REQUEST_TIMEOUT_MS = 10_000;
/** How late Node may notice either; its own default is 30 s. */
const TIMEOUT_CHECK_MS = 1_000;
/** Longer than client-go keeps idle connections (90 s), so that it is never us who end one that is being used. */
const KEEP_ALIVE_MS = 120_000;
const STOP_GRACE_MS = 1_000;
const JSON_TYPE = "application/json";

class BadRequest extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** @throws UserError when the address is taken. */
export async function serveWebhooks(options: WebhookServerOptions): Promise<{ readonly port: number; stop(): Promise<void> }> {
  const { address, certificate } = options;
  const limits = {
    handshakeTimeout: HEAD_TIMEOUT_MS,
    headersTimeout: HEAD_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionsCheckingInterval: TIMEOUT_CHECK_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
  };
  const bodies = { bytes: 0 };
  const server = createServer({ minVersion: "TLSv1.2", ...limits }, (request, response) => void answer(request, response, options, bodies));
  // Node 26 closes those of an HTTPS server only once their TLS handshake is done.
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  const unsubscribe = certificate.subscribe(({ chainPem, keyPem }) =>
    server.setSecureContext({ cert: chainPem, key: keyPem, minVersion: "TLSv1.2" }),
  );
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => reject(bindError(error, address, "--webhook-address")));
    server.listen(address.port, address.host, resolve);
  });
  const stop = (): Promise<void> =>
    new Promise((resolve) => {
      unsubscribe();
      // Reviews under way are answered; they take milliseconds.
      const timer = setTimeout(() => sockets.forEach((each) => each.destroy()), STOP_GRACE_MS);
      server.close(() => {
        clearTimeout(timer);
        resolve();
      });
      server.closeIdleConnections();
    });
  return { port: (server.address() as AddressInfo).port, stop };
}

/** What the requests under way hold in memory, all together. */
interface HeldBodies {
  bytes: number;
}

async function answer(request: IncomingMessage, response: ServerResponse, options: WebhookServerOptions, held: HeldBodies): Promise<void> {
  // Behind the path are the API server's query (its patience) and, from others, whatever they like.
  const path = (request.url ?? "/").split("?", 1)[0]!;
  const chunks: Buffer[] = [];
  try {
    const reviewer = Object.hasOwn(options.reviewers, path) ? options.reviewers[path] : undefined;
    if (reviewer === undefined) throw new BadRequest(404, `nothing at ${path}; there are ${Object.keys(options.reviewers).join(", ")}`);
    if (request.method !== "POST") throw new BadRequest(405, `method ${request.method} not allowed, POST required`);
    const type = (request.headers["content-type"] ?? "").split(";")[0]!.trim().toLowerCase();
    if (type !== JSON_TYPE) throw new BadRequest(415, `content-type ${JSON.stringify(type)} can't be read, ${JSON_TYPE} required`);
    await readBody(request, chunks, held);
    const review = parseReview(Buffer.concat(chunks).toString());
    if (!review.ok) throw new BadRequest(400, review.message);
    reply(response, 200, JSON_TYPE, JSON.stringify(toReview(review.request.uid, await reviewer(review.request))));
  } catch (error) {
    if (request.destroyed && !request.complete) return;
    if (error instanceof BadRequest) {
      options.onBadRequest(error.status, error.message);
      reply(response, error.status, "text/plain; charset=utf-8", `${error.message}\n`);
    } else {
      options.onFailure(path, error as Error);
      reply(response, 500, "text/plain; charset=utf-8", `the review failed: ${(error as Error).message}\n`);
    }
  } finally {
    for (const each of chunks) held.bytes -= each.length;
  }
}

/** @param chunks get the body, and are counted in `held` for as long as their request lasts. */
async function readBody(request: IncomingMessage, chunks: Buffer[], held: HeldBodies): Promise<void> {
  let bytes = 0;
  // Kept open on the way out, or there is nothing left to answer over.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) throw new BadRequest(413, `the body is larger than ${MAX_BODY_BYTES} bytes`);
    if (held.bytes + chunk.length > MAX_BODIES_BYTES) throw new BadRequest(503, "there are too many reviews at once");
    held.bytes += chunk.length;
    chunks.push(chunk);
  }
}

function reply(response: ServerResponse, status: number, type: string, body: string): void {
  // What is left of a body that wasn't read can't be told from the next request.
  const close = response.req.complete ? {} : { connection: "close" };
  response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(body), ...close });
  response.end(body);
}
