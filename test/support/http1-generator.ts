// HTTP/1 messages out of a seeded generator that knows the grammar: well-formed ones, and such with a few things wrong in
// the places where parsers differ.

export type Random = () => number;

export const pick = <T>(items: readonly T[], random: Random): T => items[Math.floor(random() * items.length)]!;

const METHODS = ["GET", "POST", "PUT", "HEAD", "OPTIONS", "DELETE", "PATCH", "TRACE", "CONNECT", "BREW", "get", "M-SEARCH"];
const TARGETS = [
  "/",
  "/a/b?c=d",
  "*",
  "http://a/x",
  "https://b",
  "HTTP://a:81/?q",
  "a:80",
  "//x/y",
  "/%zz",
  "/\xe4",
  "http://u@a/",
  "/a#b",
  "x",
];
const VERSIONS = [
  "HTTP/1.1",
  "HTTP/1.1",
  "HTTP/1.1",
  "HTTP/1.1",
  "HTTP/1.0",
  "HTTP/1.2",
  "HTTP/2.0",
  "HTTP/0.9",
  "http/1.1",
  "HTTP/1.10",
  "RTSP/1.0",
];
const HOSTS = ["a", "a:80", "A.test.", "[::1]:80", "", "a b", "u@a", "a/b", "a:b", "a,b", "\xe4"];
const LINES = [
  "X: 1",
  "x-Y_z: a  b",
  "X:",
  "X:1",
  "X: \t1 \t",
  "X : 1",
  "X\t: 1",
  " X: 1",
  "X: a\r\n b",
  "X: a\0",
  "X: a\x0b",
  "X: \xe4",
  "X\xe4: 1",
  ": 1",
  "X",
  "Connection: close",
  "Connection: keep-alive",
  "Connection: x, content-length",
  "Connection: upgrade\r\nUpgrade: websocket",
  "Connection: upgrade\r\nUpgrade: h2c",
  "Upgrade: foo",
  "Expect: 100-continue",
  "Expect: y",
  "TE: trailers",
  "Keep-Alive: 5",
];
const LENGTHS = [
  "5",
  "5",
  "05",
  "+5",
  "-5",
  "5 5",
  "0x5",
  "5,5",
  "5, 6",
  "",
  "5.0",
  "5e0",
  "18446744073709551621",
  " 5 ",
  "\t5",
  "4",
  "6",
  "0",
];
const CODINGS = [
  "chunked",
  "chunked",
  "CHUNKED",
  "gzip",
  "gzip, chunked",
  "chunked, gzip",
  "chunked, chunked",
  "identity",
  ",chunked",
  "chunked,",
  "xchunked",
  '"chunked"',
  "chunked;q=1",
  "\x0bchunked",
  "chunked\t",
  "",
];
const SIZES = [
  "5",
  "05",
  "5;a=b",
  '5;a="b"',
  "5;",
  "5 ",
  " 5",
  "0x5",
  "+5",
  "5;a\n",
  "0000000000005",
  "10000000000000005",
  "g",
  "",
  "5;\x01",
  "4",
  "6",
];
const LINE_ENDS = ["\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\r\n", "\n", "\r", "\r\r\n", "\n\r", ""];
const TRAILERS = ["", "", "X: 1\r\n", "Content-Length: 5\r\n", "X : 1\r\n", "X: 1\r\n 2\r\n", "X\r\n"];
const NOISE = [
  "\r\n",
  "\n",
  "\r",
  "\0",
  " ",
  "\t",
  ":",
  ",",
  ";",
  "0",
  "\x7f",
  "\xff",
  "0\r\n\r\n",
  "HTTP/1.1",
  "Content-Length: 1\r\n",
  "Transfer-Encoding: chunked\r\n",
];

/** With probability `oddity` anything of the list, else its first member. */
function usually<T>(items: readonly T[], random: Random, oddity: number): T {
  return random() < oddity ? pick(items, random) : items[0]!;
}

function chunkedBody(random: Random, oddity: number): string {
  const end = (): string => usually(LINE_ENDS, random, oddity);
  let body = "";
  for (let chunks = Math.floor(random() * 3); chunks > 0; chunks -= 1) body += `${usually(SIZES, random, oddity)}${end()}hello${end()}`;
  return `${body}0${end()}${usually(TRAILERS, random, oddity * 2)}${end()}`;
}

/** Header lines and body of one framing, or of two that contradict each other. */
function framed(random: Random, oddity: number): { readonly lines: string[]; readonly body: string } {
  const lines: string[] = [];
  const kind = random();
  const hasLength = kind < 0.4;
  const isChunked = kind > 0.65;
  if (hasLength || random() < oddity / 3) lines.push(`Content-Length: ${usually(LENGTHS, random, oddity)}`);
  if (isChunked || random() < oddity / 3) lines.push(`Transfer-Encoding: ${usually(CODINGS, random, oddity)}`);
  if (random() < oddity / 3) lines.push(`Content-Length: ${usually(LENGTHS, random, oddity)}`);
  return { lines, body: isChunked ? chunkedBody(random, oddity) : hasLength ? "hello" : "" };
}

/** @param oddity how likely each part is to be an odd one. */
export function generateRequest(random: Random, oddity: number): string {
  const end = (): string => usually(LINE_ENDS, random, oddity / 3);
  const space = (): string => usually([" ", "  ", "\t", ""], random, oddity / 4);
  const { lines, body } = framed(random, oddity);
  const method = usually([lines.length > 0 ? "POST" : "GET", ...METHODS], random, 0.2 + oddity);
  const target = usually(TARGETS, random, 0.2 + oddity);
  const head = [`Host: ${usually(HOSTS, random, oddity)}`, ...lines];
  if (random() < oddity / 3) head.splice(0, 1);
  if (random() < oddity / 4) head.push("Host: b");
  for (let more = Math.floor(random() * 3); more > 0; more -= 1)
    head.splice(Math.floor(random() * (head.length + 1)), 0, usually(LINES, random, 0.3 + oddity));
  const start = `${method}${space()}${target}${space()}${usually(VERSIONS, random, oddity)}${end()}`;
  return `${start}${head.map((line) => line + end()).join("")}${end()}${body}`;
}

const STATUSES = [
  "200 OK",
  "200 OK",
  "404 Not Found",
  "204 No Content",
  "304 Not Modified",
  "206",
  "299 ",
  "500 \xe4",
  "99 Low",
  "2000 X",
  "600 Odd",
  "200\tOK",
  "100 Continue",
  "103 Early Hints",
];

export function generateResponse(random: Random, oddity: number): string {
  const end = (): string => usually(LINE_ENDS, random, oddity / 3);
  let text = "";
  if (random() < 0.1) text += "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n";
  const { lines, body } = framed(random, oddity);
  for (let more = Math.floor(random() * 3); more > 0; more -= 1)
    lines.splice(Math.floor(random() * (lines.length + 1)), 0, usually(LINES, random, 0.3 + oddity));
  text += `${usually(VERSIONS, random, oddity)} ${usually(STATUSES, random, 0.2 + oddity)}${end()}`;
  return `${text}${lines.map((line) => line + end()).join("")}${end()}${body}`;
}

/** A few bytes changed, removed, doubled or put in, `times` times. */
export function mutate(text: string, random: Random, times: number): string {
  let result = text;
  for (let time = 0; time < times; time += 1) {
    const at = Math.floor(random() * result.length);
    const kind = random();
    if (kind < 0.4) result = result.slice(0, at) + pick(NOISE, random) + result.slice(at);
    else if (kind < 0.6) result = result.slice(0, at) + String.fromCharCode(Math.floor(random() * 256)) + result.slice(at + 1);
    else if (kind < 0.8) result = result.slice(0, at) + result.slice(at + 1 + Math.floor(random() * 3));
    else result = result.slice(0, at) + result.slice(at, at + 12) + result.slice(at);
  }
  return result;
}
