// RFC 9112 §4, §6 and §7 and RFC 9110 §15 for responses: status lines, framing, what belongs to no request.
import { answer, answerChunks, EVIL, receivedChunks, type ResponseTable } from "../response-table.ts";

const LAST = "0\r\n\r\n";
const HI = answer("Content-Length: 2\r\n", "hi");
const NONE = answer("Content-Length: 0\r\n", "");

export const STATUS_LINE: ResponseTable = {
  section: "RFC 9112 §4, status line",
  cases: [
    { name: "the usual reason", bytes: HI, received: "same", kept: true },
    { name: "another reason", bytes: "HTTP/1.1 200 All Right\r\nContent-Length: 0\r\n\r\n", received: "same", kept: true },
    { name: "a reason above ASCII", bytes: "HTTP/1.1 200 \xe4\r\nContent-Length: 0\r\n\r\n", received: "same", kept: true },
    { name: "an empty reason", bytes: "HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n", received: "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", kept: true },
    {
      name: "no reason and no space",
      bytes: "HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n",
      received: "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
      kept: true,
      because: "the space must be there, but old servers leave it out, and nothing hangs on it",
    },
    { name: "a status that nobody knows", bytes: "HTTP/1.1 299 Odd\r\nContent-Length: 0\r\n\r\n", received: "same", kept: true },
    { name: "status 600 and beyond", bytes: "HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n", received: "same", kept: true },
    { name: "status 099", bytes: "HTTP/1.1 099 Low\r\nContent-Length: 0\r\n\r\n", refused: 502, kept: false, node: "accepts" },
    { name: "a status of two digits", bytes: "HTTP/1.1 99 Low\r\nContent-Length: 0\r\n\r\n", refused: 502, kept: false },
    { name: "a status of four digits", bytes: "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n", refused: 502, kept: false },
    { name: "a signed status", bytes: "HTTP/1.1 +20 OK\r\nContent-Length: 0\r\n\r\n", refused: 502, kept: false },
    { name: "two spaces before the status", bytes: "HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n", refused: 502, kept: false },
    { name: "a tab behind the status", bytes: "HTTP/1.1 200\tOK\r\nContent-Length: 0\r\n\r\n", refused: 502, kept: false },
    { name: "a control byte in the reason", bytes: "HTTP/1.1 200 O\x01K\r\nContent-Length: 0\r\n\r\n", refused: 502, kept: false, node: "accepts" },
    { name: "a bare CR in the reason", bytes: "HTTP/1.1 200 O\rK\r\nContent-Length: 0\r\n\r\n", refused: 502, kept: false },
    { name: "bare LFs", bytes: "HTTP/1.1 200 OK\nContent-Length: 0\n\n", refused: 502, kept: false },
    { name: "an empty line before it", bytes: `\r\n${NONE}`, refused: 502, kept: false, because: "only requests may have one", node: "accepts" },
    { name: "white space before it", bytes: ` ${NONE}`, refused: 502, kept: false },
    { name: "HTTP/1.2", bytes: "HTTP/1.2 200 OK\r\nContent-Length: 0\r\n\r\n", refused: 502, kept: false },
    { name: "HTTP/2.0", bytes: "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", refused: 502, kept: false, node: "accepts" },
    { name: "http/1.1 in lower case", bytes: "http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", refused: 502, kept: false },
    { name: "another protocol", bytes: "SSH-2.0-OpenSSH_9.9\r\nmore\r\n", refused: 502, kept: false },
    { name: "HTTP/0.9, a body alone", bytes: "<html>hello</html>\r\n", then: "fin", refused: 502, kept: false },
    { name: "HTTP/1.0", bytes: "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", received: HI, kept: false },
    {
      name: "HTTP/1.0 that keeps its connection",
      bytes: "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi",
      received: HI,
      kept: true,
    },
  ],
};

export const RESPONSE_FIELDS: ResponseTable = {
  section: "RFC 9112 §5, fields of a response",
  cases: [
    { name: "names in any case", bytes: answer("content-LENGTH: 2\r\nX-aBc: 1\r\n", "hi"), received: "same", kept: true },
    { name: "a folded line", bytes: answer("X: a\r\n b\r\nContent-Length: 2\r\n", "hi"), refused: 502, kept: false, because: "§5.2: replaced by 502" },
    { name: "a space before a colon", bytes: answer("X : a\r\nContent-Length: 2\r\n", "hi"), refused: 502, kept: false, because: "§5.1: to be removed, or refused" },
    { name: "a bare CR in a value", bytes: answer("X: a\rSet-Cookie: b\r\nContent-Length: 2\r\n", "hi"), refused: 502, kept: false },
    { name: "a bare LF in a value", bytes: answer("X: a\nSet-Cookie: b\r\nContent-Length: 2\r\n", "hi"), refused: 502, kept: false },
    { name: "a NUL in a value", bytes: answer("X: a\0b\r\nContent-Length: 2\r\n", "hi"), refused: 502, kept: false },
    { name: "no colon", bytes: answer("X\r\nContent-Length: 2\r\n", "hi"), refused: 502, kept: false },
    { name: "a hundred headers", bytes: answer(`${"x: 1\r\n".repeat(99)}Content-Length: 2\r\n`, "hi"), received: "same", kept: true },
    { name: "a hundred and one", bytes: answer(`${"x: 1\r\n".repeat(100)}Content-Length: 2\r\n`, "hi"), refused: 502, kept: false, node: "accepts" },
    { name: "a head beyond the limit", bytes: answer(`X: ${"a".repeat(61440)}\r\nContent-Length: 0\r\n`, ""), refused: 502, kept: false },
    { name: "fields that Connection names", bytes: answer("Connection: x-a\r\nX-A: 1\r\nX-B: 2\r\nContent-Length: 2\r\n", "hi"), received: answer("X-B: 2\r\nContent-Length: 2\r\n", "hi"), kept: true },
    { name: "Connection that names its length", bytes: answer("Connection: content-length\r\nContent-Length: 2\r\n", "hi"), received: HI, kept: true },
    { name: "Keep-Alive", bytes: answer("Keep-Alive: timeout=5\r\nContent-Length: 2\r\n", "hi"), received: HI, kept: true },
    { name: "Connection: close", bytes: answer("Connection: close\r\nContent-Length: 2\r\n", "hi"), received: HI, kept: false },
  ],
};

export const RESPONSE_LENGTH: ResponseTable = {
  section: "RFC 9112 §6.3, length of a response",
  cases: [
    { name: "a length", bytes: HI, received: "same", kept: true },
    { name: "a length of 0", bytes: NONE, received: "same", kept: true },
    { name: "chunks", bytes: answerChunks(`2\r\nhi\r\n1;x\r\n!\r\n${LAST}`), received: receivedChunks("hi!"), kept: true },
    { name: "a chunk size of thirteen digits", bytes: answerChunks(`0000000000002\r\nhi\r\n${LAST}`), cut: true, kept: false, node: "accepts" },
    { name: "chunk extensions that are none", bytes: answerChunks(`2;\r\nhi\r\n${LAST}`), received: receivedChunks("hi"), kept: true, because: "§7.1.1: ignored", node: "refuses" },
    {
      name: "blanks behind chunked",
      bytes: answer("Transfer-Encoding: chunked\t\r\n", LAST),
      received: receivedChunks(""),
      kept: true,
      because: "§5: no part of the value; Node takes it for another coding, and the chunks for the body",
      node: "otherwise",
    },
    { name: "trailers", bytes: answerChunks("2\r\nhi\r\n0\r\nX-Sum: 1\r\nContent-Length: 9\r\n\r\n"), received: receivedChunks("hi", "X-Sum: 1\r\n"), kept: true, node: "refuses" },
    { name: "neither, so that its end is the connection's", bytes: answer("", "hi"), then: "fin", received: receivedChunks("hi"), kept: false },
    { name: "neither, and a reset, which makes it no whole one", bytes: answer("", "hi"), then: "reset", cut: true, kept: false, node: "accepts" },
    { name: "neither, in a 205", bytes: "HTTP/1.1 205 Reset Content\r\n\r\n", then: "fin", received: "HTTP/1.1 205 Reset Content\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", kept: false },
    { name: "two equal lengths", bytes: answer("Content-Length: 2\r\nContent-Length: 2\r\n", "hi"), refused: 502, kept: false, because: "RFC 9110 §8.6: may be refused" },
    { name: "two lengths", bytes: answer("Content-Length: 2\r\nContent-Length: 9\r\n", "hi"), refused: 502, kept: false },
    { name: "a list of lengths", bytes: answer("Content-Length: 2, 2\r\n", "hi"), refused: 502, kept: false },
    { name: "a length with a plus", bytes: answer("Content-Length: +2\r\n", "hi"), refused: 502, kept: false },
    { name: "a negative length", bytes: answer("Content-Length: -2\r\n", "hi"), refused: 502, kept: false },
    { name: "a length that is empty", bytes: answer("Content-Length:\r\n", "hi"), refused: 502, kept: false },
    { name: "a length beyond 2^64", bytes: answer("Content-Length: 18446744073709551618\r\n", "hi"), refused: 502, kept: false },
    { name: "CL.TE", bytes: answer("Content-Length: 2\r\nTransfer-Encoding: chunked\r\n", LAST), refused: 502, kept: false },
    { name: "TE.CL", bytes: answer("Transfer-Encoding: chunked\r\nContent-Length: 2\r\n", LAST), refused: 502, kept: false },
    { name: "another coding", bytes: answer("Transfer-Encoding: gzip\r\n", "hi"), then: "fin", refused: 502, kept: false, because: "§6.1: we know none, and would not tell its end", node: "accepts" },
    { name: "a coding before chunked", bytes: answer("Transfer-Encoding: gzip, chunked\r\n", LAST), refused: 502, kept: false, node: "accepts" },
    { name: "chunked twice", bytes: answer("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", LAST), refused: 502, kept: false, node: "accepts" },
    { name: "chunked behind a vertical tab", bytes: answer("Transfer-Encoding: \x0bchunked\r\n", LAST), refused: 502, kept: false },
    { name: "chunked in HTTP/1.0", bytes: `HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${LAST}`, refused: 502, kept: false, because: "§6.1: faulty", node: "accepts" },
    { name: "a chunk size with 0x", bytes: answerChunks(`0x2\r\nhi\r\n${LAST}`), cut: true, kept: false },
    { name: "a chunk size beyond 2^64", bytes: answerChunks(`10000000000000002\r\nhi\r\n${LAST}`), cut: true, kept: false },
    { name: "more data than its chunk's size", bytes: answerChunks(`2\r\nhi!\r\n${LAST}`), cut: true, kept: false },
    { name: "a bare LF behind a chunk", bytes: answerChunks(`2\r\nhi\n${LAST}`), cut: true, kept: false },
    { name: "a bare LF in chunk extensions", bytes: answerChunks(`2;a\nhi\r\n${LAST}`), cut: true, kept: false },
    { name: "a trailer that is none", bytes: answerChunks("2\r\nhi\r\n0\r\nX : 1\r\n\r\n"), cut: true, kept: false },
    { name: "an end before its length", bytes: answer("Content-Length: 5\r\n", "hi"), then: "fin", cut: true, kept: false },
    { name: "an end between chunks", bytes: answerChunks("2\r\nhi\r\n"), then: "fin", cut: true, kept: false },
    { name: "an end within its last chunk", bytes: answerChunks("2\r\nhi\r\n0\r\n"), then: "fin", cut: true, kept: false },
  ],
};

export const BODILESS: ResponseTable = {
  section: "RFC 9112 §6.3, responses without a body",
  cases: [
    { name: "HEAD with a length", method: "HEAD", bytes: answer("Content-Length: 5\r\n", ""), received: "same", kept: true },
    {
      name: "HEAD with a length beyond 2^53",
      method: "HEAD",
      bytes: answer("Content-Length: 9007199254740993\r\n", ""),
      refused: 502,
      kept: false,
      because: "RFC 9110 §8.6: a number that overflows is none; Node reads 64 bits of it",
      node: "accepts",
    },
    { name: "HEAD with chunked", method: "HEAD", bytes: answerChunks(""), received: answer("", ""), kept: true },
    { name: "HEAD with a body, which belongs to nobody", method: "HEAD", bytes: HI, received: HI.slice(0, -2), kept: false },
    { name: "HEAD with another response as its body", method: "HEAD", bytes: answer(`Content-Length: ${EVIL.length}\r\n`, EVIL), received: answer(`Content-Length: ${EVIL.length}\r\n`, ""), kept: false },
    { name: "204", bytes: "HTTP/1.1 204 No Content\r\n\r\n", received: "same", kept: true },
    { name: "204 with a length", bytes: "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", received: "HTTP/1.1 204 No Content\r\n\r\n", kept: true, because: "RFC 9110 §8.6: must not be there" },
    { name: "204 with a body", bytes: "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nhi", received: "HTTP/1.1 204 No Content\r\n\r\n", kept: false },
    { name: "304 with the length of what it stands for", bytes: "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", received: "same", kept: true },
    { name: "304 with chunks", bytes: `HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n${LAST}`, received: "HTTP/1.1 304 Not Modified\r\n\r\n", kept: false },
    { name: "204 with two framings", bytes: "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", refused: 502, kept: false },
  ],
};

export const INFORMATIONAL: ResponseTable = {
  section: "RFC 9110 §15.2, informational responses",
  cases: [
    { name: "100, which was answered here", bytes: `HTTP/1.1 100 Continue\r\n\r\n${NONE}`, received: NONE, kept: true },
    { name: "102 and 103 in order", bytes: `HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${HI}`, received: "same", kept: true },
    { name: "one that nobody knows", bytes: `HTTP/1.1 199 Odd\r\n\r\n${HI}`, received: "same", kept: true },
    { name: "a length in one, which means nothing", bytes: `HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\n${HI}`, received: `HTTP/1.1 103 Early Hints\r\n\r\n${HI}`, kept: true },
    { name: "a hundred of them", bytes: "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(100) + HI, received: "same", kept: true },
    { name: "more than a hundred", bytes: "HTTP/1.1 100 Continue\r\n\r\n".repeat(101) + HI, refused: 502, kept: false, because: "each is written whether the client reads or not", node: "accepts" },
    { name: "101 that nobody asked for", bytes: "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", refused: 502, kept: false, node: "accepts" },
    { name: "a broken line in one", bytes: `HTTP/1.1 103 Early Hints\r\nX : 1\r\n\r\n${HI}`, refused: 502, kept: false },
    { name: "nothing behind it", bytes: "HTTP/1.1 103 Early Hints\r\n\r\n", then: "fin", refused: 503, kept: false },
  ],
};

export const BEHIND: ResponseTable = {
  section: "RFC 9112 §6.3, bytes behind a response",
  cases: [
    { name: "another response", bytes: HI + EVIL, received: HI, kept: false },
    { name: "another response behind chunks", bytes: answerChunks(`2\r\nhi\r\n${LAST}`) + EVIL, received: receivedChunks("hi"), kept: false },
    { name: "an empty line", bytes: `${HI}\r\n`, received: HI, kept: false, because: "only a client may send one; it may be half of something" },
    { name: "one byte", bytes: `${HI}!`, received: HI, kept: false },
  ],
};

export const RESPONSE_TABLES: readonly ResponseTable[] = [STATUS_LINE, RESPONSE_FIELDS, RESPONSE_LENGTH, BODILESS, INFORMATIONAL, BEHIND];
