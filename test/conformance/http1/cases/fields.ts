// RFC 9112 §5 and RFC 9110: header fields, Host, Connection, Expect, TE, Max-Forwards, Upgrade.
import { HOST, post, withLine, type RequestTable } from "../request-table.ts";

const get = (lines: string): string => `GET / HTTP/1.1\r\n${lines}\r\n`;
/** What goes on of `withLine` when its line does not. */
const BARE = get(HOST);

export const FIELD_SYNTAX: RequestTable = {
  section: "RFC 9112 §5, field lines",
  cases: [
    { name: "an empty value", bytes: withLine("X-Empty:"), forwarded: [withLine("X-Empty: ")] },
    { name: "no space after the colon", bytes: withLine("X:1"), forwarded: [withLine("X: 1")] },
    { name: "blanks around a value", bytes: withLine("X: \t 1 \t"), forwarded: [withLine("X: 1")] },
    { name: "blanks inside a value", bytes: withLine("X: a \t b"), forwarded: "same" },
    { name: "a colon in a value", bytes: withLine("X: a:b"), forwarded: "same" },
    { name: "bytes above ASCII in a value", bytes: withLine("X-B: \xe4\xff"), forwarded: "same" },
    { name: "every character of a name", bytes: withLine("!#$%&'*+-.^_`|~09azAZ: 1"), forwarded: "same" },
    { name: "an underscore in a name", bytes: withLine("x_y: 1"), forwarded: "same" },
    { name: "names in any case, kept", bytes: withLine("x-LoWeR: 1\r\nX-Lower: 2"), forwarded: "same" },
    { name: "no colon", bytes: withLine("X"), refused: 400 },
    { name: "an empty name", bytes: withLine(": a"), refused: 400 },
    { name: "a name above ASCII", bytes: withLine("X\xe4: a"), refused: 400 },
    { name: "a space in a name", bytes: withLine("X Y: a"), refused: 400 },
    { name: "a name in quotes", bytes: withLine('"X": a'), refused: 400 },
    { name: "a NUL in a name", bytes: withLine("X\0: a"), refused: 400 },
    { name: "a space before the colon", bytes: withLine("X : a"), refused: 400, because: "§5.1" },
    { name: "a tab before the colon", bytes: withLine("X\t: a"), refused: 400 },
    { name: "a space before the colon of Host", bytes: get("Host : a\r\n"), refused: 400 },
    { name: "a folded line", bytes: withLine("X: a\r\n b"), refused: 400, because: "§5.2" },
    { name: "a folded line with a tab", bytes: withLine("X: a\r\n\tb"), refused: 400 },
    { name: "a folded line of blanks alone", bytes: withLine("X: a\r\n "), refused: 400 },
    { name: "a NUL in a value", bytes: withLine("X: a\0b"), refused: 400 },
    { name: "a bare CR in a value", bytes: withLine("X: a\rb"), refused: 400 },
    { name: "a bare LF in a value", bytes: withLine("X: a\nb: c"), refused: 400 },
    { name: "a vertical tab in a value", bytes: withLine("X: a\x0bb"), refused: 400 },
    { name: "a form feed in a value", bytes: withLine("X: a\x0cb"), refused: 400 },
    { name: "an escape in a value", bytes: withLine("X: a\x1bb"), refused: 400 },
    { name: "DEL in a value", bytes: withLine("X: a\x7f"), refused: 400 },
    { name: "a hundred headers", bytes: get(HOST + "x: 1\r\n".repeat(99)), forwarded: "same" },
    {
      name: "a hundred and one headers",
      bytes: get(HOST + "x: 1\r\n".repeat(100)),
      refused: 431,
      because: "Envoy's limit; Node's is 2000",
      node: "accepts",
    },
    { name: "a head beyond the limit", bytes: withLine(`x: ${"a".repeat(61440)}`), refused: 431 },
  ],
};

export const HOST_FIELD: RequestTable = {
  section: "RFC 9110 §7.2, Host",
  cases: [
    { name: "none", bytes: get(""), refused: 400 },
    { name: "an empty one", bytes: get("Host:\r\n"), refused: 400, because: "routes go by it", node: "accepts" },
    { name: "two equal ones", bytes: get(HOST + HOST), refused: 400, because: "RFC 9112 §3.2", node: "accepts" },
    { name: "two different ones", bytes: get(`${HOST}Host: b\r\n`), refused: 400, node: "accepts" },
    { name: "two, the second hidden in case", bytes: get(`${HOST}hOST: b\r\n`), refused: 400, node: "accepts" },
    { name: "one with a space", bytes: get("Host: a b\r\n"), refused: 400, node: "accepts" },
    { name: "one with a path", bytes: get("Host: a/b\r\n"), refused: 400, node: "accepts" },
    { name: "one with user information", bytes: get("Host: u@a\r\n"), refused: 400, node: "accepts" },
    { name: "a list", bytes: get("Host: a, b\r\n"), refused: 400, node: "accepts" },
    { name: "a port that is no number", bytes: get("Host: a:b\r\n"), refused: 400, node: "accepts" },
    { name: "two ports", bytes: get("Host: a:1:2\r\n"), refused: 400, node: "accepts" },
    { name: "a port alone", bytes: get("Host: :80\r\n"), refused: 400, node: "accepts" },
    { name: "a port of six digits", bytes: get("Host: a:123456\r\n"), refused: 400, node: "accepts" },
    { name: "an IPv6 address without brackets", bytes: get("Host: ::1\r\n"), refused: 400, node: "accepts" },
    { name: "a bracket that does not close", bytes: get("Host: [::1\r\n"), refused: 400, node: "accepts" },
    { name: "a scheme", bytes: get("Host: http://a\r\n"), refused: 400, node: "accepts" },
    { name: "a byte above ASCII", bytes: get("Host: \xe4\r\n"), refused: 400, node: "accepts" },
    { name: "an IPv6 address", bytes: get("Host: [::1]:80\r\n"), forwarded: "same" },
    { name: "a trailing dot", bytes: get("Host: a.test.:80\r\n"), forwarded: "same" },
    { name: "an empty port", bytes: get("Host: a:\r\n"), forwarded: "same" },
    { name: "capitals", bytes: get("HOST: A.Test\r\n"), forwarded: "same" },
    { name: "an underscore", bytes: get("Host: a_b\r\n"), forwarded: "same" },
    { name: "one behind other headers", bytes: get(`X: 1\r\n${HOST}`), forwarded: "same" },
  ],
};

export const CONNECTION: RequestTable = {
  section: "RFC 9110 §7.6.1, Connection",
  cases: [
    { name: "a named field", bytes: withLine("Connection: X-A, x-b\r\nX-A: 1\r\nX-B: 2\r\nX-C: 3"), forwarded: [withLine("X-C: 3")] },
    { name: "fields named in two lines", bytes: withLine("Connection: x-a\r\nX-A: 1\r\nconnection: x-b\r\nX-B: 2"), forwarded: [BARE] },
    { name: "empty members", bytes: withLine("Connection: ,, x-a ,\r\nX-A: 1"), forwarded: [BARE] },
    { name: "Keep-Alive and Proxy-Connection", bytes: withLine("Keep-Alive: 5\r\nProxy-Connection: keep-alive"), forwarded: [BARE] },
    { name: "Host, which stays", bytes: withLine("Connection: host"), forwarded: [BARE], because: "or the request would lose its route" },
    {
      name: "Content-Length, which stays",
      bytes: post("Connection: content-length\r\nContent-Length: 2\r\n", "hi"),
      forwarded: [post("Content-Length: 2\r\n", "hi")],
      because: "or its body would be taken for a request",
    },
    {
      name: "Transfer-Encoding, which stays",
      bytes: post("Connection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
      forwarded: [post("transfer-encoding: chunked\r\n", "0\r\n\r\n")],
    },
    { name: "close", bytes: withLine("Connection: close"), forwarded: [BARE], kept: false },
    { name: "close among others, in capitals", bytes: withLine("Connection: x, CLOSE\r\nX: 1"), forwarded: [BARE], kept: false },
    { name: "close beside keep-alive", bytes: withLine("Connection: keep-alive, close"), forwarded: [BARE], kept: false },
  ],
};

export const TE: RequestTable = {
  section: "RFC 9110 §10.1.4, TE",
  cases: [
    { name: "trailers", bytes: withLine("Connection: te\r\nTE: trailers"), forwarded: [withLine("TE: trailers\r\nconnection: TE")] },
    { name: "a coding", bytes: withLine("Connection: te\r\nTE: gzip"), forwarded: [BARE] },
    { name: "trailers that Connection does not name", bytes: withLine("Connection: x\r\nTE: trailers"), forwarded: [BARE] },
  ],
};

export const EXPECT: RequestTable = {
  section: "RFC 9110 §10.1.1, Expect",
  cases: [
    {
      name: "100-continue, which is answered here",
      bytes: post("Expect: 100-continue\r\nContent-Length: 2\r\n", "hi"),
      forwarded: [post("Content-Length: 2\r\n", "hi")],
    },
    { name: "100-continue without a body", bytes: withLine("Expect: 100-continue"), forwarded: [BARE] },
    { name: "100-Continue in capitals", bytes: post("Expect: 100-CONTINUE\r\nContent-Length: 1\r\n", "x"), forwarded: [post("Content-Length: 1\r\n", "x")] },
    {
      name: "something else, which is the server's to judge",
      bytes: post("Expect: y 100-continue\r\nContent-Length: 2\r\n", "hi"),
      forwarded: "same",
    },
  ],
};

export const UPGRADE: RequestTable = {
  section: "RFC 9110 §7.8, Upgrade",
  cases: [
    { name: "without Connection", bytes: withLine("Upgrade: websocket"), forwarded: [BARE] },
    { name: "h2c, which is ignored", bytes: withLine("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA"), forwarded: [BARE] },
    { name: "HTTP/2.0, which is ignored", bytes: withLine("Connection: upgrade\r\nUpgrade: HTTP/2.0"), forwarded: [BARE] },
    { name: "TLS/1.0, which is ignored", bytes: withLine("Connection: upgrade\r\nUpgrade: TLS/1.0"), forwarded: [BARE] },
    { name: "a protocol named as the method", bytes: withLine("Connection: upgrade\r\nUpgrade: connect"), forwarded: [BARE] },
    {
      name: "with a body, which is ignored",
      bytes: post("Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 2\r\n", "hi"),
      forwarded: [post("Content-Length: 2\r\n", "hi")],
      because: "what follows an upgrade belongs to its tunnel; an offer may always be ignored",
    },
    {
      name: "from HTTP/1.0, which is ignored",
      bytes: `GET / HTTP/1.0\r\n${HOST}Connection: upgrade\r\nUpgrade: websocket\r\n\r\n`,
      forwarded: [`GET / HTTP/1.0\r\n${HOST}\r\n`],
      kept: false,
    },
    { name: "to nothing", bytes: withLine("Connection: upgrade\r\nUpgrade:"), forwarded: [BARE] },
    { name: "to what is no protocol", bytes: withLine("Connection: upgrade\r\nUpgrade: web socket"), refused: 400, node: "accepts" },
    {
      name: "that nothing allows",
      bytes: withLine("Connection: upgrade\r\nUpgrade: websocket"),
      refused: 403,
      kept: true,
      because: "the request was whole with its head, and the client waits for the answer",
      node: "accepts",
    },
  ],
};

export const CONNECT: RequestTable = {
  section: "RFC 9110 §9.3.6, CONNECT",
  cases: [
    {
      name: "that nothing allows",
      bytes: "CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n",
      refused: 403,
      because: "what follows was meant for another: nothing of it is read as a request",
      node: "accepts",
    },
    { name: "without a port", bytes: "CONNECT b HTTP/1.1\r\nHost: b\r\n\r\n", refused: 400, because: "RFC 9112 §3.2.3", node: "accepts" },
    { name: "CONNECT without a host", bytes: "CONNECT b:443 HTTP/1.1\r\n\r\n", refused: 400, because: "RFC 9112 §3.2", node: "accepts" },
    { name: "to port 0", bytes: "CONNECT b:0 HTTP/1.1\r\nHost: b:0\r\n\r\n", refused: 400, node: "accepts" },
    { name: "to a port beyond 65535", bytes: "CONNECT b:65536 HTTP/1.1\r\nHost: b:65536\r\n\r\n", refused: 400, node: "accepts" },
    { name: "to a path", bytes: "CONNECT /x HTTP/1.1\r\nHost: b\r\n\r\n", refused: 400, node: "accepts" },
    { name: "to an absolute target", bytes: "CONNECT http://b:80/ HTTP/1.1\r\nHost: b\r\n\r\n", refused: 400, node: "accepts" },
    { name: "with a body", bytes: "CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\nContent-Length: 2\r\n\r\nhi", refused: 400, node: "accepts" },
    {
      name: "in chunks",
      bytes: "CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      refused: 400,
      node: "accepts",
    },
  ],
};
