// The same bytes to our codec and to Node's own parser with its default strictness: who accepts what. Where the two
// differ, the reason stands here.
import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";
import { REQUEST_CASES } from "../support/http1-cases.ts";

/** Cases that Node refuses and we accept. */
const WE_ACCEPT: Readonly<Record<string, string>> = {
  "a method that nobody knows": "RFC 9110 §9.1: methods are an open set; a proxy passes on what its upstream may know",
  "trailers that would change framing or trust, which are dropped": "RFC 9110 §6.5.1: a recipient may discard them; they reach nobody",
  "a lower-case method, which is another method": "the same; methods are case-sensitive",
};

/** Cases that we refuse and Node's parser accepts (an application may still refuse them). */
const WE_REFUSE: Readonly<Record<string, string>> = {
  "an empty host": "RFC 9112 §3.2: we route by it",
  "two hosts": "RFC 9112 §3.2: a second Host is answered with 400",
  "two hosts, the second hidden in case": "the same",
  "a host with a space": "RFC 9110 §7.2: not a host; two hops could read two hosts",
  "a host with a path": "the same",
  "a host with user information": "RFC 9110 §4.2.4",
  "a list of hosts": "the same as two hosts",
  "a host with a port that is no number": "RFC 9110 §7.2",
  "a port without a host": "RFC 9110 §4.2.1",
  "an absolute target with user information": "RFC 9110 §4.2.4",
  "an absolute target of another scheme": "the mesh speaks HTTP",
  "an absolute target without a host": "RFC 9110 §4.2.1",
  "* with GET": "RFC 9112 §3.2.4: for OPTIONS only",
  "two spaces after the method": "RFC 9112 §3: one space; where the target begins must not be a matter of taste",
  "two spaces before the version": "the same",
  "HTTP/0.9": "gone since 1996; the next bytes would be taken for a head",
  "HTTP/2 in words": "RFC 9112 §2.3: the major version is 1",
  "another protocol": "Node's parser serves RTSP and ICE, too",
  "a fragment in the target": "RFC 9112 §3.2: never sent; routes could be fooled",
  "a coding before chunked": "we act on no other coding than chunked, as Envoy",
  "chunked after identity": "RFC 9112 §7: identity is no coding any more",
  "chunked with a comma": "Envoy refuses it; lists with empty members are read in different ways",
  "a chunk size of many zeros": "sizes have at most 12 digits, so that none is read modulo a word",
  "chunk extensions without end": "4 KB are enough; Node's limit is 16 KB",
  "chunked in HTTP/1.0": "RFC 9112 §6.1: faulty framing",
  "HTTP/1.0 where it is not accepted": "Envoy's default",
  CONNECT: "no tunnels through a sidecar",
  "too many headers": "Envoy's default limit is 100; Node's is 2000",
};

let server: Server;
let port = 0;

before(async () => {
  server = createServer({ requireHostHeader: true, maxHeaderSize: 61440 }, (request, response) => {
    request.on("end", () => response.end("ok")).on("error", () => undefined);
    request.resume();
  });
  server.on("connect", (_request, socket) => socket.end("HTTP/1.1 200 OK\r\n\r\n"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  port = (server.address() as AddressInfo).port;
});
after(() => {
  server.closeAllConnections();
  server.close();
});

/** Whether Node's server answers the first request with 200; no answer to a request that ended is a refusal, too. */
function nodeAccepts(bytes: string): Promise<boolean> {
  return new Promise((resolve) => {
    let text = "";
    const socket = connect(port, "127.0.0.1");
    socket.setTimeout(3000, () => socket.destroy());
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
      if (text.includes("\r\n\r\n")) socket.destroy();
    });
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(text.startsWith("HTTP/1.1 200")));
    // FIN tells Node that no more comes, where it waits for more.
    socket.end(Buffer.from(bytes, "latin1"));
  });
}

describe("our parser and Node's", () => {
  test("agree but for the listed differences", async () => {
    const weAccept: string[] = [];
    const weRefuse: string[] = [];
    const unlisted: string[] = [];
    for (const { name, bytes, refused } of REQUEST_CASES) {
      const theirs = await nodeAccepts(bytes);
      const ours = refused === undefined;
      if (ours === theirs) continue;
      (ours ? weAccept : weRefuse).push(name);
      if (!((ours ? WE_ACCEPT : WE_REFUSE)[name] !== undefined)) unlisted.push(`${name} (we ${ours ? "accept" : "refuse"})`);
    }
    assert.deepEqual(unlisted, [], "differences without a reason");
    assert.deepEqual(weAccept.sort(), Object.keys(WE_ACCEPT).sort(), "what only we accept");
    assert.deepEqual(weRefuse.sort(), Object.keys(WE_REFUSE).sort(), "what only we refuse");
  });
});
