// The application of the end-to-end tests. On 8080 HTTP: an echo of the request, or calls of others in its name. On 9000 a
// protocol in which the server speaks first.
import dns from "node:dns/promises";
import http from "node:http";
import https from "node:https";
import net from "node:net";

const pod = process.env.POD_NAME ?? "";
const version = process.env.VERSION ?? "v1";
const keepAlive = new http.Agent({ keepAlive: true });

function send(response, status, body) {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

function read(request) {
  return new Promise((resolve, reject) => {
    let text = "";
    request.setEncoding("utf8").on("data", (chunk) => (text += chunk));
    request.on("end", () => resolve(text)).on("error", reject);
  });
}

/** One HTTP request; what came back, or the error's code. */
function call({ url, method = "GET", headers = {}, body = "", fresh = false, timeoutMs = 5000, family = 0 }) {
  return new Promise((resolve) => {
    const isTls = url.startsWith("https:");
    const agent = fresh || isTls ? false : keepAlive;
    const options = { method, headers, agent, family, timeout: timeoutMs, rejectUnauthorized: false };
    const request = (isTls ? https : http).request(url, options, async (response) => {
      try {
        resolve({ status: response.statusCode, headers: response.headers, body: await read(response) });
      } catch (error) {
        resolve({ status: 0, error: error.code ?? error.message });
      }
    });
    request.on("timeout", () => request.destroy(new Error("timeout")));
    request.on("error", (error) => resolve({ status: 0, error: error.code ?? error.message }));
    request.end(body);
  });
}

/** Connects, waits for the greeting unless it speaks first, says a line and waits for its echo. */
function talk({ host, port, say = "", speaksFirst = false, family = 0, timeoutMs = 5000 }) {
  return new Promise((resolve) => {
    let text = "";
    const socket = net.connect({ host, port, family });
    const end = (error) => {
      socket.destroy();
      resolve({ text, error });
    };
    socket.setTimeout(timeoutMs, () => end("timeout"));
    if (speaksFirst) socket.write(`${say}\n`);
    socket.setEncoding("utf8").on("data", (chunk) => {
      if (text === "" && say !== "" && !speaksFirst) socket.write(`${say}\n`);
      text += chunk;
      if (text.split("\n").length > (say === "" ? 1 : 2)) end(undefined);
    });
    socket.on("error", (error) => end(error.code));
    socket.on("end", () => end("ended"));
  });
}

/** Asks the pod's resolver; ENODATA is NOERROR without data, ENOTFOUND is NXDOMAIN. */
function resolveName({ name, type }) {
  return dns.resolve(name, type).then(
    (addresses) => ({ addresses }),
    (error) => ({ error: error.code }),
  );
}

const commands = { "/call": call, "/talk": talk, "/resolve": resolveName };

const server = http.createServer(async (request, response) => {
  const { pathname, searchParams } = new URL(request.url, "http://app");
  const body = await read(request);
  if (pathname === "/exit") return process.exit(Number(searchParams.get("code") ?? 1));
  const command = request.method === "POST" ? commands[pathname] : undefined;
  if (command !== undefined) {
    const jobs = JSON.parse(body);
    return send(response, 200, await Promise.all(jobs.map(command)));
  }
  const { localAddress, localPort, remoteAddress } = request.socket;
  const answer = {
    pod,
    version,
    method: request.method,
    url: request.url,
    headers: request.headers,
    body,
    localAddress,
    localPort,
    remoteAddress,
  };
  setTimeout(() => send(response, 200, answer), Number(searchParams.get("delayMs") ?? 0));
});
server.keepAliveTimeout = 60_000;
server.listen(8080, "::");

net
  .createServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.write(`220 ${pod} at ${socket.localAddress} port ${socket.localPort}\n`);
    socket.setEncoding("utf8").on("data", (text) => socket.write(text.toUpperCase()));
  })
  .listen(9000, "::");

process.on("SIGTERM", () => process.exit(0));
