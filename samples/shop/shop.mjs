// One hop of the shop. It answers with its own name and version and, where UPSTREAM is set, with what that one answered.
import http from "node:http";

const name = process.env.NAME ?? "unnamed";
const version = process.env.VERSION ?? "v1";
const upstream = process.env.UPSTREAM;
const pod = process.env.POD_NAME ?? "";
const port = Number(process.env.PORT ?? 8080);
const agent = new http.Agent({ keepAlive: true, keepAliveMsecs: 1000 });

// Headers that tie the hops of one request together; an application in a mesh passes them on.
const CONTEXT = ["x-request-id", "traceparent", "tracestate", "b3", "x-b3-traceid", "x-b3-spanid", "x-b3-parentspanid", "x-b3-sampled"];

function callUpstream(request) {
  const headers = Object.fromEntries(CONTEXT.filter((key) => request.headers[key] !== undefined).map((key) => [key, request.headers[key]]));
  return new Promise((resolve, reject) => {
    const call = http.get(upstream, { path: request.url, agent, headers, timeout: 10_000 }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk) => (text += chunk));
      response.on("end", () => resolve({ status: response.statusCode, text, error: response.headers["x-mesh-error"] }));
      response.on("error", reject);
    });
    call.on("timeout", () => call.destroy(new Error("no answer within 10 s"))).on("error", reject);
  });
}

function answer(response, status, body) {
  const text = `${JSON.stringify(body)}\n`;
  response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(text) }).end(text);
}

const server = http.createServer(async (request, response) => {
  request.resume();
  if (request.url === "/healthz") return answer(response, 200, { ok: true });
  const self = { service: name, version, pod };
  if (upstream === undefined) return answer(response, 200, { hops: [self] });
  try {
    const { status, text, error } = await callUpstream(request);
    if (status !== 200) return answer(response, 502, { hops: [self], error: `${upstream} answered ${status}`, meshError: error });
    return answer(response, 200, { hops: [self, ...JSON.parse(text).hops] });
  } catch (error) {
    return answer(response, 502, { hops: [self], error: `${upstream}: ${error.message}` });
  }
});

server.keepAliveTimeout = 60_000;
server.listen(port, () => console.log(`${name} ${version} listens on ${port}`));
process.on("SIGTERM", () => server.close(() => process.exit(0)).closeIdleConnections());
