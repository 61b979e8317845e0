// A reverse proxy as one writes it with node:http2: each stream is sent on over one connection to the origin, with header
// fields, bodies both ways, trailers and resets. `node http2-proxy.ts LISTEN-PORT ORIGIN-PORT`.
import { connect, constants, createServer } from "node:http2";
import type { ClientHttp2Session, IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";

const [listenPort, originPort] = process.argv.slice(2).map(Number) as [number, number];
let origin: ClientHttp2Session | undefined;

function toOrigin(): ClientHttp2Session {
  if (origin !== undefined && !origin.closed && !origin.destroyed) return origin;
  const session = connect(`http://127.0.0.1:${originPort}`);
  session.on("error", () => session.destroy());
  origin = session;
  return session;
}

function answer(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
  const upstream = toOrigin().request(headers, { endStream: false });
  upstream.once("response", (fields) => {
    stream.respond(fields, { waitForTrailers: true });
    upstream.pipe(stream);
  });
  let trailers: IncomingHttpHeaders = {};
  upstream.once("trailers", (fields) => (trailers = fields));
  stream.once("wantTrailers", () => stream.sendTrailers(trailers));
  upstream.once("error", () => stream.close(constants.NGHTTP2_INTERNAL_ERROR));
  stream.once("error", () => upstream.close(constants.NGHTTP2_CANCEL));
  stream.once("aborted", () => upstream.close(constants.NGHTTP2_CANCEL));
  stream.pipe(upstream);
}

const server = createServer();
server.on("stream", answer);
server.on("sessionError", () => undefined);
server.listen(listenPort, "127.0.0.1");
process.once("SIGTERM", () => process.exit(0));
