// RFC 9112 §7.1: the chunked coding, its extensions and trailers.
import { chunked, forwardedChunks, HIDDEN, post, type RequestTable } from "../request-table.ts";

const LAST = "0\r\n\r\n";

export const CHUNKS: RequestTable = {
  section: "RFC 9112 §7.1, chunks",
  cases: [
    { name: "one chunk", bytes: chunked(`5\r\nhello\r\n${LAST}`), forwarded: [forwardedChunks("hello")] },
    { name: "several", bytes: chunked(`2\r\nhe\r\n3\r\nllo\r\n${LAST}`), forwarded: [forwardedChunks("hello")] },
    { name: "none but the last", bytes: chunked(LAST), forwarded: [forwardedChunks("")] },
    { name: "leading zeros and letters of both cases", bytes: chunked(`00A\r\n0123456789\r\na\r\n0123456789\r\n${LAST}`), forwarded: [forwardedChunks("01234567890123456789")] },
    { name: "zeros for the last", bytes: chunked("000\r\n\r\n"), forwarded: [forwardedChunks("")] },
    { name: "line ends as data", bytes: chunked(`7\r\n\r\n0\r\n\r\n\r\n${LAST}`), forwarded: [forwardedChunks("\r\n0\r\n\r\n")] },
    { name: "a request as data", bytes: chunked(`${HIDDEN.length.toString(16)}\r\n${HIDDEN}\r\n${LAST}`), forwarded: [forwardedChunks(HIDDEN)] },
    { name: "0x before a size", bytes: chunked(`0x5\r\nhello\r\n${LAST}`), refused: 400 },
    { name: "a plus before a size", bytes: chunked(`+5\r\nhello\r\n${LAST}`), refused: 400 },
    { name: "a minus before a size", bytes: chunked(`-5\r\nhello\r\n${LAST}`), refused: 400 },
    { name: "no size", bytes: chunked(`\r\nhello\r\n${LAST}`), refused: 400 },
    { name: "a size that is no number", bytes: chunked(`g\r\nhello\r\n${LAST}`), refused: 400 },
    { name: "an underscore in a size", bytes: chunked(`1_0\r\nhello\r\n${LAST}`), refused: 400 },
    { name: "a full stop in a size", bytes: chunked(`5.0\r\nhello\r\n${LAST}`), refused: 400 },
    { name: "a size of 2^48", bytes: chunked(`1000000000000\r\nhello\r\n${LAST}`), refused: 400 },
    { name: "a size beyond 2^64, which is 5 to a reader that wraps around", bytes: chunked(`10000000000000005\r\nhello\r\n${LAST}`), refused: 400 },
    {
      name: "a size of thirteen digits",
      bytes: chunked(`0000000000005\r\nhello\r\n${LAST}`),
      refused: 400,
      because: "at most twelve, so that no reader takes it modulo a word",
      node: "accepts",
    },
    { name: "a space before a size", bytes: chunked(` 5\r\nhello\r\n${LAST}`), refused: 400 },
    { name: "a space behind a size", bytes: chunked(`5 \r\nhello\r\n${LAST}`), refused: 400 },
    { name: "a tab behind a size", bytes: chunked(`5\t\r\nhello\r\n${LAST}`), refused: 400 },
    { name: "a NUL behind a size", bytes: chunked(`5\0\r\nhello\r\n${LAST}`), refused: 400 },
    { name: "a bare LF behind a size", bytes: chunked(`5\nhello\r\n${LAST}`), refused: 400 },
    { name: "a bare CR behind a size", bytes: chunked(`5\rhello\r\n${LAST}`), refused: 400 },
    { name: "CR CR LF behind a size", bytes: chunked(`5\r\r\nhello\r\n${LAST}`), refused: 400 },
    { name: "another byte than LF behind a size's CR", bytes: chunked(`5\rXhello\r\n${LAST}`), refused: 400 },
    { name: "more data than its size", bytes: chunked(`5\r\nhello!\r\n${LAST}`), refused: 400 },
    { name: "less data than its size", bytes: chunked(`5\r\nhell\r\n${LAST}`), refused: 400 },
    { name: "no line end behind data", bytes: chunked(`5\r\nhello${LAST}`), refused: 400 },
    { name: "a bare LF behind data", bytes: chunked(`5\r\nhello\n${LAST}`), refused: 400 },
    { name: "a bare CR behind data", bytes: chunked(`5\r\nhello\r${LAST}`), refused: 400 },
    { name: "two other bytes behind data", bytes: chunked(`5\r\nhelloXX${LAST}`), refused: 400 },
    { name: "LF CR behind data", bytes: chunked(`5\r\nhello\n\r${LAST}`), refused: 400 },
    { name: "another byte than LF behind data's CR", bytes: chunked(`5\r\nhello\rX${LAST}`), refused: 400 },
    { name: "an empty line before the last chunk", bytes: chunked(`5\r\nhello\r\n\r\n${LAST}`), refused: 400 },
    { name: "a bare LF behind the last size", bytes: chunked("0\n\r\n"), refused: 400 },
    { name: "a bare LF for the empty line", bytes: chunked("0\r\n\n"), refused: 400 },
  ],
};

export const EXTENSIONS: RequestTable = {
  section: "RFC 9112 §7.1.1, chunk extensions",
  cases: [
    { name: "a name", bytes: chunked(`5;a\r\nhello\r\n${LAST}`), forwarded: [forwardedChunks("hello")], because: "they end with the connection" },
    { name: "a value", bytes: chunked(`5;a=b\r\nhello\r\n${LAST}`), forwarded: [forwardedChunks("hello")] },
    { name: "a quoted value with a semicolon", bytes: chunked(`5;a="b;c"\r\nhello\r\n${LAST}`), forwarded: [forwardedChunks("hello")] },
    { name: "several", bytes: chunked(`5;a=b;c\r\nhello\r\n${LAST}`), forwarded: [forwardedChunks("hello")] },
    { name: "of the last chunk", bytes: chunked("0;a=b\r\n\r\n"), forwarded: [forwardedChunks("")] },
    { name: "that look like a size", bytes: chunked(`5;6\r\nhello\r\n${LAST}`), forwarded: [forwardedChunks("hello")] },
    {
      name: "blanks before the semicolon",
      bytes: chunked(`5 ;a\r\nhello\r\n${LAST}`),
      refused: 400,
      because: "bad white space that must be read: but nobody sends it, and readers differ on it",
    },
    { name: "a semicolon alone", bytes: chunked(`5;\r\nhello\r\n${LAST}`), forwarded: [forwardedChunks("hello")], node: "refuses" },
    { name: "blanks behind the semicolon", bytes: chunked(`5; a\r\nhello\r\n${LAST}`), forwarded: [forwardedChunks("hello")], node: "refuses" },
    { name: "no size before them", bytes: chunked(`;a\r\nhello\r\n${LAST}`), refused: 400 },
    { name: "TERM.EXT: a bare LF in them", bytes: chunked(`5;a\nhello\r\n${LAST}`), refused: 400 },
    { name: "EXT.TERM: a bare LF, then a line end", bytes: chunked(`2;\nxx\r\n4c\r\n0\r\n\r\n${HIDDEN}`), refused: 400 },
    { name: "a bare CR in them", bytes: chunked(`5;a\rb\r\nhello\r\n${LAST}`), refused: 400 },
    { name: "CR CR LF behind them", bytes: chunked(`5;a\r\r\nhello\r\n${LAST}`), refused: 400 },
    { name: "a NUL in them", bytes: chunked(`5;a\0\r\nhello\r\n${LAST}`), refused: 400 },
    { name: "a control byte in them", bytes: chunked(`5;a\x01\r\nhello\r\n${LAST}`), refused: 400 },
    { name: "a line end in a quoted value", bytes: chunked(`5;a="\r\nhello\r\n${LAST}"\r\nhello\r\n${LAST}`), forwarded: [forwardedChunks("hello")], refused: 400 },
    { name: "SPILL: data that goes on beyond its size", bytes: chunked(`5\r\nhello;a=b\r\n${LAST}`), refused: 400 },
    {
      name: "without end",
      bytes: chunked(`5;${"a".repeat(5000)}\r\nhello\r\n${LAST}`),
      refused: 400,
      because: "4 KB in a message are enough; Node's limit is 16 KB",
      node: "accepts",
    },
    { name: "without end, in many chunks", bytes: chunked(`1;${"a".repeat(99)}\r\nx\r\n`.repeat(50) + LAST), refused: 400, node: "accepts" },
  ],
};

export const TRAILERS: RequestTable = {
  section: "RFC 9112 §7.1.2, trailers",
  cases: [
    { name: "two", bytes: chunked("1\r\nx\r\n0\r\nX-Sum: 7\r\nx-b: c\r\n\r\n"), forwarded: [forwardedChunks("x", "X-Sum: 7\r\nx-b: c\r\n")], because: "they pass, as between us and everybody" },
    {
      name: "of fields that frame, route or authorize, which are dropped",
      bytes: chunked("1\r\nx\r\n0\r\nContent-Length: 7\r\nTransfer-Encoding: chunked\r\nHost: b\r\nAuthorization: no\r\nx-ok: 1\r\n\r\n"),
      forwarded: [forwardedChunks("x", "x-ok: 1\r\n")],
      because: "RFC 9110 §6.5.1: they may be discarded, and reach nobody",
      node: "refuses",
    },
    { name: "a bare LF behind one", bytes: chunked("0\r\nX: 1\n\r\n"), refused: 400 },
    { name: "a space before a colon", bytes: chunked("0\r\nX : 1\r\n\r\n"), refused: 400 },
    { name: "a folded one", bytes: chunked("0\r\nX: 1\r\n 2\r\n\r\n"), refused: 400 },
    { name: "no colon", bytes: chunked("0\r\nX\r\n\r\n"), refused: 400 },
    { name: "a request in their place", bytes: chunked(`0\r\n${HIDDEN}`), refused: 400 },
    { name: "too many", bytes: chunked(`0\r\n${"x: 1\r\n".repeat(101)}\r\n`), refused: 400, node: "accepts" },
  ],
};

export const PIPELINING: RequestTable = {
  section: "RFC 9112 §9.3, persistence and pipelining",
  cases: [
    {
      name: "requests of every framing behind one another",
      bytes: `${HIDDEN}${post("Content-Length: 2\r\n", "hi")}${chunked(`2\r\nhi\r\n${LAST}`)}${HIDDEN}`,
      forwarded: [HIDDEN, post("Content-Length: 2\r\n", "hi"), forwardedChunks("hi"), HIDDEN],
    },
    { name: "an empty line between requests", bytes: `${HIDDEN}\r\n${HIDDEN}`, forwarded: [HIDDEN, HIDDEN] },
    {
      name: "an empty line behind a body, as old clients sent it",
      bytes: `${post("Content-Length: 2\r\n", "hi")}\r\n${HIDDEN}`,
      forwarded: [post("Content-Length: 2\r\n", "hi"), HIDDEN],
    },
    { name: "a bare LF behind a body", bytes: `${post("Content-Length: 2\r\n", "hi")}\n${HIDDEN}`, forwarded: [post("Content-Length: 2\r\n", "hi")], refused: 400, node: "accepts" },
    { name: "a request behind one that closes, which is not read", bytes: `GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n${HIDDEN}`, forwarded: ["GET / HTTP/1.1\r\nHost: a\r\n\r\n"], kept: false, because: "§9.6: it is not looked at; Node reports it", node: "refuses" },
    { name: "a broken request behind a good one", bytes: `${HIDDEN}GET / HTTP/1.1\r\nHost : a\r\n\r\n`, forwarded: [HIDDEN], refused: 400 },
    { name: "a hundred requests at once", bytes: HIDDEN.repeat(100), forwarded: Array.from({ length: 100 }, () => HIDDEN) },
  ],
};
