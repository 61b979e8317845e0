// HTTP/2 from outside, as gRPC clients without TLS speak it: each stream goes on to the Service, with its own name as
// authority. Node's HTTP/2 does; this is an app, not a sidecar.
import http2 from "node:http2";

const { NGHTTP2_CANCEL } = http2.constants;
const END_STREAM = 1;

/** A server for connections whose first bytes are HTTP/2's; `url` is where the Service is. */
export function makeHttp2Forwarder(url: string, authority: string): http2.Http2Server {
  let session: http2.ClientHttp2Session | undefined;
  const server = http2.createServer();
  server.on("stream", (outer: http2.ServerHttp2Stream, headers) => {
    if (session === undefined || session.closed || session.destroyed) {
      session = http2.connect(url);
      session.on("error", ignore); // its streams tell
    }
    const changed = { ...headers, ":authority": authority, "x-forwarded-host": headers[":authority"] };
    forwardStream(outer, session.request(changed, { endStream: outer.endAfterHeaders }), authority);
  });
  return server;
}

function forwardStream(outer: http2.ServerHttp2Stream, inner: http2.ClientHttp2Stream, authority: string): void {
  let trailers: http2.IncomingHttpHeaders | undefined;
  let failure = "connection closed";
  inner.on("headers", (headers) => !outer.destroyed && outer.additionalHeaders(headers));
  inner.on("response", (headers, flags) => {
    if (outer.destroyed) return;
    // A gRPC answer without a message is told by the end of its head.
    if ((flags & END_STREAM) !== 0) return outer.respond(headers, { endStream: true });
    outer.respond(headers, { waitForTrailers: true });
    inner.pipe(outer);
  });
  inner.on("trailers", (received) => (trailers = received));
  outer.on("wantTrailers", () => (trailers === undefined ? outer.close() : outer.sendTrailers(trailers)));
  inner.on("error", (error) => (failure = error.message));
  inner.on("close", () => {
    if (outer.destroyed || outer.writableFinished) return;
    if (outer.headersSent) return void (inner.rstCode !== 0 && outer.close(inner.rstCode));
    outer.respond({ ":status": 502, "content-type": "text/plain" });
    outer.end(`meshctl-ingress: ${authority}: ${failure}\n`);
  });
  outer.on("error", ignore); // 'close' follows
  outer.on("close", () => !inner.closed && inner.close(outer.rstCode === 0 ? NGHTTP2_CANCEL : outer.rstCode));
  if (!outer.endAfterHeaders) outer.pipe(inner);
}

const ignore = (): void => undefined;
