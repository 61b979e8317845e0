// The application of the end-to-end tests of gRPC and HTTP/2. On 50051 a gRPC server; on 8090 to 8092 HTTP in either
// version, which tells what came; on 8080, for the test itself, calls of others in its name.
import http from "node:http";
import http2 from "node:http2";
import net from "node:net";
import * as grpc from "@grpc/grpc-js";

const pod = process.env.POD_NAME ?? "";

const pack = (value) => Buffer.from(JSON.stringify(value));
const unpack = (bytes) => JSON.parse(bytes.toString());
const method = (name, requestStream, responseStream) => ({
  path: `/test.Ledger/${name}`,
  requestStream,
  responseStream,
  requestSerialize: pack,
  requestDeserialize: unpack,
  responseSerialize: pack,
  responseDeserialize: unpack,
});
const LEDGER = {
  get: method("Get", false, false),
  list: method("List", false, true),
  sum: method("Sum", true, false),
  chat: method("Chat", true, true),
  fail: method("Fail", false, false),
  hang: method("Hang", false, false),
};

/** Calls of Hang that their clients gave up. */
let cancelled = 0;

function trailersOf(request) {
  const metadata = new grpc.Metadata();
  for (const [key, value] of Object.entries(request.trailers ?? {})) metadata.set(key, value);
  return metadata;
}

const handlers = {
  get: (call, done) => {
    const headers = call.metadata.getMap();
    done(null, { pod, host: call.getHost(), deadlineMs: call.getDeadline() - Date.now(), headers });
  },
  list: (call) => {
    for (let index = 0; index < call.request.count; index += 1) call.write({ pod, index, padding: "x".repeat(call.request.bytes ?? 0) });
    call.end(trailersOf(call.request));
  },
  sum: (call, done) => {
    let sum = 0;
    call.on("data", (each) => (sum += each.value)).on("end", () => done(null, { pod, sum }));
  },
  // Answers each message before it takes the next one.
  chat: (call) => call.on("data", (each) => call.write({ pod, ...each })).on("end", () => call.end()),
  fail: (call, done) => done({ code: call.request.code, details: call.request.details, metadata: trailersOf(call.request) }),
  hang: (call) => call.on("cancelled", () => (cancelled += 1)),
};

const server = new grpc.Server();
server.addService(LEDGER, handlers);
server.bindAsync("[::]:50051", grpc.ServerCredentials.createInsecure(), (error) => {
  if (error) throw error;
});

/** One channel for each target: its calls share a connection. */
const clients = new Map();
function clientFor(target) {
  const client =
    clients.get(target) ?? new (grpc.makeGenericClientConstructor(LEDGER, "Ledger"))(target, grpc.credentials.createInsecure());
  clients.set(target, client);
  return client;
}

/** One gRPC call; every message that came, and how it ended. */
function rpc({ target, name, messages = [{}], timeoutMs = 5000, headers = {}, turns = false }) {
  return new Promise((resolve) => {
    const { requestStream, responseStream } = LEDGER[name];
    const metadata = new grpc.Metadata();
    for (const [key, value] of Object.entries(headers)) metadata.set(key, value);
    const options = { deadline: Date.now() + timeoutMs };
    const answers = [];
    const done = responseStream ? [] : [(_error, answer) => answer !== undefined && answers.push(answer)];
    const call = requestStream
      ? clientFor(target)[name](metadata, options, ...done)
      : clientFor(target)[name](messages[0], metadata, options, ...done);
    let initial = {};
    call.on("metadata", (each) => (initial = each.getMap()));
    call.on("error", () => {});
    call.on("status", ({ code, details, metadata: trailers }) =>
      // The callback of a unary call comes after its status.
      setImmediate(() => resolve({ code, details, headers: initial, trailers: trailers.getMap(), answers })),
    );
    if (responseStream) {
      call.on("data", (answer) => {
        answers.push(answer);
        if (!requestStream || !turns) return;
        if (answers.length < messages.length) call.write(messages[answers.length]);
        else call.end();
      });
    }
    if (!requestStream) return;
    // In turns: the next message waits for the answer to this one, so that nothing on the way may wait for more.
    for (const each of turns ? messages.slice(0, 1) : messages) call.write(each);
    if (!turns) call.end();
  });
}

/** One request in the given version of HTTP, to the same port either way. */
function request({ url, version, body = "" }) {
  return new Promise((resolve) => {
    let text = "";
    const fail = (error) => resolve({ status: 0, error: error.code ?? error.message });
    if (version === 1) {
      const sent = http.request(url, { method: "POST", agent: false }, (response) => {
        response.setEncoding("utf8").on("data", (chunk) => (text += chunk));
        response.on("end", () => resolve({ status: response.statusCode, body: text }));
      });
      sent.on("error", fail).end(body);
      return;
    }
    const session = http2.connect(url);
    session.on("error", fail);
    const { pathname } = new URL(url);
    const stream = session.request({ ":method": "POST", ":path": pathname });
    let status = 0;
    stream.on("response", (headers) => (status = headers[":status"]));
    stream.setEncoding("utf8").on("data", (chunk) => (text += chunk));
    stream.on("error", fail).on("end", () => (session.close(), resolve({ status, body: text })));
    stream.end(body);
  });
}

function echo(request, response) {
  let body = "";
  request.setEncoding("utf8").on("data", (chunk) => (body += chunk));
  const { method, url, httpVersion: version } = request;
  request.on("end", () => response.end(JSON.stringify({ pod, version, method, url, body })));
}
http
  .createServer(echo)
  .on("upgrade", (request, socket) => {
    const { method, url, headers } = request;
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${headers.upgrade}\r\nX-Case: Kept\r\n\r\n`);
    socket.write(`${JSON.stringify({ pod, method, url, upgrade: headers.upgrade, key: headers["sec-websocket-key"] })}\n`);
    socket.on("error", () => socket.destroy()).pipe(socket);
  })
  .listen("\0http1");
http2.createServer(echo).listen("\0http2");

/** Asks for another protocol and says a line in it; what the other says, up to the echo of that line. */
function upgrade({ url, token, say }) {
  return new Promise((resolve) => {
    const headers = {
      connection: "Upgrade",
      upgrade: token,
      "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
      "sec-websocket-version": "13",
    };
    const request = http.request(url, { agent: false, headers, timeout: 5000 });
    request.on("timeout", () => request.destroy(new Error("timeout")));
    request.on("error", (error) => resolve({ status: 0, text: error.message }));
    request.on("response", (response) => response.resume().on("end", () => resolve({ status: response.statusCode, text: "" })));
    request.on("upgrade", (response, socket, head) => {
      let text = head.toString();
      const read = (chunk) => {
        text += chunk;
        if (!text.endsWith(`${say}\n`)) return;
        socket.destroy();
        resolve({ status: response.statusCode, rawHeaders: response.rawHeaders, text });
      };
      socket.setEncoding("utf8").on("data", read);
      socket.on("end", () => resolve({ status: response.statusCode, text }));
      socket.write(`${say}\n`);
    });
    request.end();
  });
}

/** HTTP in either version on one port, told apart by HTTP/2's preface. Node's HTTP/2 wants a socket that nobody has read from. */
function listenForBoth(port) {
  net
    .createServer((socket) => {
      socket.on("error", () => socket.destroy());
      socket.once("data", (first) => {
        const inner = net.connect(first.toString("latin1").startsWith("PRI") ? "\0http2" : "\0http1");
        inner.on("error", () => socket.destroy()).write(first);
        socket.pipe(inner).pipe(socket);
      });
    })
    .listen(port, "::");
}
for (const port of [8090, 8091, 8092]) listenForBoth(port);

const commands = { "/rpc": rpc, "/request": request, "/upgrade": upgrade };
http
  .createServer(async (request, response) => {
    let text = "";
    for await (const chunk of request.setEncoding("utf8")) text += chunk;
    const command = commands[request.url];
    const answer = command === undefined ? { pod, cancelled } : await Promise.all(JSON.parse(text).map(command));
    response.end(JSON.stringify(answer));
  })
  .listen(8080, "::");

process.on("SIGTERM", () => process.exit(0));
