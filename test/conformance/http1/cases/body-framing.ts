// RFC 9112 §6: where a request's body ends. What two readers could read in two ways is refused.
import { HIDDEN, post, type RequestCase, type RequestTable } from "../request-table.ts";

const LAST = "0\r\n\r\n";
const CL = (value: string): string => post(`Content-Length:${value}\r\n`, "hello");
const TE = (lines: string): string => post(`${lines}\r\n`, LAST + HIDDEN);

/** Bytes that some reader takes for a blank, a line end or nothing. */
const ODD_BYTES = [...Array.from({ length: 32 }, (_, code) => code), 0x20, 0x7f, 0x80, 0x85, 0xa0, 0xad, 0xff].map((code) =>
  String.fromCharCode(code),
);
const BLANKS = new Set([" ", "\t"]);

function hex(char: string): string {
  return `0x${char.charCodeAt(0).toString(16).padStart(2, "0")}`;
}

export const CONTENT_LENGTH: RequestTable = {
  section: "RFC 9110 §8.6, Content-Length",
  cases: [
    { name: "a body", bytes: CL(" 5"), forwarded: "same" },
    { name: "0", bytes: post("Content-Length: 0\r\n", ""), forwarded: "same" },
    { name: "0 and what looks like a body, which is the next request", bytes: post("Content-Length: 0\r\n", HIDDEN), forwarded: [post("Content-Length: 0\r\n", ""), HIDDEN] },
    { name: "none, and what looks like a body", bytes: post("", HIDDEN), forwarded: [post("", ""), HIDDEN] },
    { name: "a request as its body", bytes: post(`Content-Length: ${HIDDEN.length}\r\n`, HIDDEN), forwarded: "same" },
    { name: "leading zeros", bytes: CL(" 005"), forwarded: "same" },
    { name: "blanks around it", bytes: CL("\t 5 \t"), forwarded: [CL(" 5")] },
    { name: "its name in capitals", bytes: post("CONTENT-LENGTH: 5\r\n", "hello"), forwarded: "same" },
    { name: "a plus", bytes: CL(" +5"), refused: 400 },
    { name: "a minus", bytes: CL(" -5"), refused: 400 },
    { name: "minus zero", bytes: CL(" -0"), refused: 400 },
    { name: "a blank inside", bytes: CL(" 5 5"), refused: 400 },
    { name: "hexadecimal", bytes: CL(" 0x5"), refused: 400 },
    { name: "octal", bytes: CL(" 0o5"), refused: 400 },
    { name: "nothing", bytes: CL(""), refused: 400 },
    { name: "a fraction", bytes: CL(" 5.0"), refused: 400 },
    { name: "an exponent", bytes: CL(" 5e0"), refused: 400 },
    { name: "an underscore", bytes: CL(" 1_0"), refused: 400 },
    { name: "a comma behind it", bytes: CL(" 5,"), refused: 400 },
    { name: "a semicolon behind it", bytes: CL(" 5;"), refused: 400 },
    { name: "quotes", bytes: CL(' "5"'), refused: 400 },
    { name: "a superscript digit", bytes: CL(" \xb2"), refused: 400 },
    { name: "a digit of another script", bytes: CL(" \xd9\xa5"), refused: 400 },
    { name: "letters", bytes: CL(" five"), refused: 400 },
    { name: "more than 2^53", bytes: CL(" 9007199254740993"), refused: 400 },
    { name: "more than 2^64, which is 5 to a reader that wraps around", bytes: CL(" 18446744073709551621"), refused: 400 },
    { name: "twice the same", bytes: post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"), refused: 400, because: "may be refused" },
    { name: "two that differ", bytes: post("Content-Length: 5\r\nContent-Length: 6\r\n", "hello!"), refused: 400 },
    { name: "two, the second hidden in case", bytes: post("Content-Length: 5\r\ncontent-LENGTH: 0\r\n", "hello"), refused: 400 },
    { name: "two, one of them empty", bytes: post("Content-Length: 5\r\nContent-Length:\r\n", "hello"), refused: 400 },
    { name: "a list of equal ones", bytes: CL(" 5, 5"), refused: 400, because: "may be refused" },
    { name: "a list of two", bytes: CL(" 5, 6"), refused: 400 },
    ...ODD_BYTES.filter((char) => !BLANKS.has(char)).flatMap((char): RequestCase[] => [
      { name: `${hex(char)} before the number`, bytes: CL(` ${char}5`), refused: 400 },
      { name: `${hex(char)} behind the number`, bytes: CL(` 5${char}`), refused: 400 },
    ]),
    ...ODD_BYTES.map((char): RequestCase => ({ name: `${hex(char)} before its colon`, bytes: post(`Content-Length${char}: 5\r\n`, "hello"), refused: 400 })),
  ],
};

export const TRANSFER_ENCODING: RequestTable = {
  section: "RFC 9112 §6.1, Transfer-Encoding",
  cases: [
    { name: "chunked", bytes: post("Transfer-Encoding: chunked\r\n", LAST), forwarded: [post("transfer-encoding: chunked\r\n", LAST)] },
    { name: "Chunked in capitals", bytes: post("Transfer-Encoding: CHUNKED\r\n", LAST), forwarded: [post("transfer-encoding: chunked\r\n", LAST)] },
    { name: "its name in capitals", bytes: post("TRANSFER-ENCODING: chunked\r\n", LAST), forwarded: [post("transfer-encoding: chunked\r\n", LAST)] },
    { name: "no blank before chunked", bytes: post("Transfer-Encoding:chunked\r\n", LAST), forwarded: [post("transfer-encoding: chunked\r\n", LAST)] },
    {
      name: "blanks around chunked",
      bytes: post("Transfer-Encoding: \t chunked \t\r\n", LAST),
      forwarded: [post("transfer-encoding: chunked\r\n", LAST)],
      because: "optional white space (§5) is no part of a value; what goes on has none",
      node: "refuses",
    },
    { name: "a request behind the last chunk, which is the next", bytes: post("Transfer-Encoding: chunked\r\n", LAST + HIDDEN), forwarded: [post("transfer-encoding: chunked\r\n", LAST), HIDDEN] },
    { name: "another coding", bytes: TE("Transfer-Encoding: gzip"), refused: 501 },
    { name: "a coding before chunked", bytes: TE("Transfer-Encoding: gzip, chunked"), refused: 501, because: "we act on chunked alone, as Envoy", node: "accepts" },
    { name: "a coding behind chunked", bytes: TE("Transfer-Encoding: chunked, gzip"), refused: 501 },
    { name: "a coding in a line of its own before", bytes: TE("Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked"), refused: 501, node: "accepts" },
    { name: "a coding in a line of its own behind", bytes: TE("Transfer-Encoding: chunked\r\nTransfer-Encoding: gzip"), refused: 501 },
    { name: "chunked twice in a line", bytes: TE("Transfer-Encoding: chunked, chunked"), refused: 501 },
    { name: "chunked in two lines", bytes: TE("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"), refused: 501 },
    { name: "chunked in two lines, the second hidden in case", bytes: TE("Transfer-Encoding: chunked\r\ntransfer-ENCODING: x"), refused: 501 },
    { name: "identity", bytes: TE("Transfer-Encoding: identity"), refused: 501 },
    { name: "identity before chunked", bytes: TE("Transfer-Encoding: identity, chunked"), refused: 501, node: "accepts" },
    { name: "identity in a line of its own", bytes: TE("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked"), refused: 501, node: "accepts" },
    { name: "xchunked", bytes: TE("Transfer-Encoding: xchunked"), refused: 501 },
    { name: "chunkedx", bytes: TE("Transfer-Encoding: chunkedx"), refused: 501 },
    { name: "chunk", bytes: TE("Transfer-Encoding: chunk"), refused: 501 },
    { name: "a blank in it", bytes: TE("Transfer-Encoding: chu nked"), refused: 501 },
    { name: "a parameter", bytes: TE("Transfer-Encoding: chunked;q=1"), refused: 501 },
    { name: "a semicolon behind", bytes: TE("Transfer-Encoding: chunked;"), refused: 501 },
    { name: "double quotes", bytes: TE('Transfer-Encoding: "chunked"'), refused: 501 },
    { name: "single quotes", bytes: TE("Transfer-Encoding: 'chunked'"), refused: 501 },
    { name: "nothing", bytes: TE("Transfer-Encoding:"), refused: 501 },
    { name: "a comma before", bytes: TE("Transfer-Encoding: ,chunked"), refused: 501, because: "empty members are read in different ways", node: "accepts" },
    { name: "a comma behind", bytes: TE("Transfer-Encoding: chunked,"), refused: 501 },
    { name: "the letter k of another alphabet", bytes: TE("Transfer-Encoding: chun\xe2\x84\xaaed"), refused: 501 },
    { name: "a fold before it", bytes: TE("Transfer-Encoding:\r\n chunked"), refused: 400 },
    { name: "a fold behind it", bytes: TE("Transfer-Encoding: chunked\r\n "), refused: 400 },
    { name: "a fold inside it", bytes: TE("Transfer-Encoding: chu\r\n nked"), refused: 400 },
    { name: "a folded line before its name", bytes: TE("X: y\r\n Transfer-Encoding: chunked"), refused: 400 },
    { name: "a bare LF before its name", bytes: TE("X: y\nTransfer-Encoding: chunked"), refused: 400 },
    { name: "a bare CR before its name", bytes: TE("X: y\rTransfer-Encoding: chunked"), refused: 400 },
    { name: "a NUL before its name", bytes: TE("X: y\0Transfer-Encoding: chunked"), refused: 400 },
    { name: "a bare LF behind its colon", bytes: TE("Transfer-Encoding:\nchunked"), refused: 400 },
    { name: "an escaped line end in a value before", bytes: TE("X: y%0d%0aTransfer-Encoding: chunked"), forwarded: [post("X: y%0d%0aTransfer-Encoding: chunked\r\n", "")], refused: 400 },
    { name: "its name with an underscore, which is another", bytes: post("Transfer_Encoding: chunked\r\n", HIDDEN), forwarded: [post("Transfer_Encoding: chunked\r\n", ""), HIDDEN] },
    { name: "its name cut short, which is another", bytes: post("Transfer-Encodin: chunked\r\n", HIDDEN), forwarded: [post("Transfer-Encodin: chunked\r\n", ""), HIDDEN] },
    { name: "Content-Encoding, which is another", bytes: post("Content-Encoding: chunked\r\n", HIDDEN), forwarded: [post("Content-Encoding: chunked\r\n", ""), HIDDEN] },
    {
      name: "in HTTP/1.0",
      bytes: `POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${LAST}`,
      refused: 400,
      because: "faulty framing",
      node: "accepts",
    },
    ...ODD_BYTES.filter((char) => !BLANKS.has(char)).flatMap((char): RequestCase[] => [
      // What may stand in a value makes it another coding, what may not breaks the line.
      { name: `${hex(char)} before chunked`, bytes: TE(`Transfer-Encoding: ${char}chunked`), refused: char < "\x80" ? 400 : 501 },
      { name: `${hex(char)} behind chunked`, bytes: TE(`Transfer-Encoding: chunked${char}`), refused: char < "\x80" ? 400 : 501 },
    ]),
    ...ODD_BYTES.flatMap((char): RequestCase[] => [
      { name: `${hex(char)} before its colon`, bytes: TE(`Transfer-Encoding${char}: chunked`), refused: 400 },
      { name: `${hex(char)} before its name`, bytes: TE(`${char}Transfer-Encoding: chunked`), refused: 400 },
      { name: `${hex(char)} in the middle of its name`, bytes: TE(`Transfer${char}-Encoding: chunked`), refused: 400 },
    ]),
  ],
};

export const MESSAGE_BODY_LENGTH: RequestTable = {
  section: "RFC 9112 §6.3, both of them",
  cases: [
    { name: "CL.TE", bytes: post(`Content-Length: ${LAST.length + HIDDEN.length}\r\nTransfer-Encoding: chunked\r\n`, LAST + HIDDEN), refused: 400 },
    { name: "TE.CL", bytes: post("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", `${HIDDEN.length.toString(16)}\r\n${HIDDEN}\r\n${LAST}`), refused: 400 },
    { name: "TE.0", bytes: post("Transfer-Encoding: chunked\r\nContent-Length: 0\r\n", LAST + HIDDEN), refused: 400 },
    { name: "0.TE", bytes: post("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", LAST + HIDDEN), refused: 400 },
    { name: "a length beside a coding that we don't know", bytes: post("Content-Length: 5\r\nTransfer-Encoding: xchunked\r\n", "hello"), refused: 501 },
    { name: "a length beside identity", bytes: post("Content-Length: 5\r\nTransfer-Encoding: identity\r\n", "hello"), refused: 501 },
    { name: "a length beside chunked hidden by a space", bytes: post("Content-Length: 5\r\nTransfer-Encoding : chunked\r\n", "hello"), refused: 400 },
    { name: "a length beside chunked hidden by a fold", bytes: post("Content-Length: 5\r\nX: y\r\n\tTransfer-Encoding: chunked\r\n", "hello"), refused: 400 },
    { name: "a length hidden by a space beside chunked", bytes: post("Content-Length : 5\r\nTransfer-Encoding: chunked\r\n", LAST), refused: 400 },
    { name: "a length that Connection takes away, beside chunked", bytes: post("Connection: content-length\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n", LAST), refused: 400 },
    { name: "chunked that Connection takes away, beside a length", bytes: post("Connection: transfer-encoding\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n", LAST), refused: 400 },
  ],
};
