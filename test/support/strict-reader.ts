// A reader of HTTP/1 requests that knows nothing but what a proxy may send: it tells where each ends, or that it is broken.

export interface ReadRequest {
  /** As received. */
  readonly text: string;
  /** With all chunks joined to one, so that how a body was cut does not count. */
  readonly joined: string;
}

/** The first request of the text; undefined while it is not whole. @throws Error for anything that is not HTTP to the letter. */
export function readRequest(text: string): ReadRequest | undefined {
  const headEnd = text.indexOf("\r\n\r\n");
  if (headEnd < 0) return undefined;
  const head = text.slice(0, headEnd + 4);
  const lines = head.slice(0, -4).split("\r\n");
  if (!/^[!-~]+ [^\0-\x20\x7f]+ HTTP\/1\.[01]$/.test(lines[0]!)) throw new Error(`not a request line: ${JSON.stringify(lines[0])}`);
  for (const line of lines.slice(1)) {
    if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+: [^\0-\x08\x0a-\x1f\x7f]*$/.test(line))
      throw new Error(`not a field line: ${JSON.stringify(line)}`);
  }
  const lengths = lines.filter((line) => /^content-length:/i.test(line));
  const codings = lines.filter((line) => /^transfer-encoding:/i.test(line));
  if (lengths.length + codings.length > 1) throw new Error(`two framings: ${JSON.stringify(head)}`);
  if (codings.length === 1) {
    if (!/^transfer-encoding: chunked$/i.test(codings[0]!)) throw new Error(`unknown coding ${codings[0]}`);
    return readChunks(text, head);
  }
  const length = lengths.length === 0 ? 0 : Number(/^content-length: ([0-9]+)$/i.exec(lengths[0]!)?.[1]);
  if (Number.isNaN(length)) throw new Error(`no length: ${lengths[0]}`);
  if (text.length < head.length + length) return undefined;
  const whole = text.slice(0, head.length + length);
  return { text: whole, joined: whole };
}

function readChunks(text: string, head: string): ReadRequest | undefined {
  let at = head.length;
  let data = "";
  for (;;) {
    const lineEnd = text.indexOf("\r\n", at);
    if (lineEnd < 0) return undefined;
    const size = /^[0-9a-f]+$/.test(text.slice(at, lineEnd)) ? Number.parseInt(text.slice(at, lineEnd), 16) : Number.NaN;
    if (Number.isNaN(size)) throw new Error(`not a chunk size: ${JSON.stringify(text.slice(at, lineEnd))}`);
    at = lineEnd + 2;
    if (size === 0) break;
    if (text.length < at + size + 2) return undefined;
    if (text.slice(at + size, at + size + 2) !== "\r\n") throw new Error("a chunk without its line end");
    data += text.slice(at, at + size);
    at += size + 2;
  }
  const trailersAt = at;
  const end = text.startsWith("\r\n", at) ? at + 2 : text.indexOf("\r\n\r\n", at) + 4;
  if (end < at + 2) return undefined;
  const chunk = data === "" ? "" : `${data.length.toString(16)}\r\n${data}\r\n`;
  return { text: text.slice(0, end), joined: `${head}${chunk}0\r\n${text.slice(trailersAt, end)}` };
}

/** Each whole request of the text, chunks joined, and what is left. */
export function readRequests(text: string): { readonly requests: string[]; readonly rest: string } {
  const requests: string[] = [];
  let rest = text;
  for (let next = readRequest(rest); next !== undefined; next = readRequest(rest)) {
    requests.push(next.joined);
    rest = rest.slice(next.text.length);
  }
  return { requests, rest };
}

/** `METHOD target body` of one whole request. */
export function summaryOf(request: string): string {
  const [method, target] = request.split(" ", 2);
  const headEnd = request.indexOf("\r\n\r\n") + 4;
  const isChunked = /\r\ntransfer-encoding: chunked\r\n/i.test(request.slice(0, headEnd));
  const size = isChunked ? Number.parseInt(request.slice(headEnd), 16) : 0;
  const bodyAt = isChunked ? request.indexOf("\r\n", headEnd) + 2 : headEnd;
  return `${method} ${target} ${isChunked ? request.slice(bodyAt, bodyAt + size) : request.slice(bodyAt)}`;
}

/** Informational responses and the final one, chunks joined; undefined where it is not whole, or nothing may follow it here. */
export function joinedResponse(text: string, method: string): string | undefined {
  const headEnd = text.indexOf("\r\n\r\n") + 4;
  if (headEnd < 4) return undefined;
  const head = text.slice(0, headEnd);
  const status = Number(head.slice(9, 12));
  if (status < 200 && status !== 101) {
    const rest = joinedResponse(text.slice(headEnd), method);
    return rest === undefined ? undefined : head + rest;
  }
  if (method === "HEAD" || status === 204 || status === 304 || status === 101) return text.length === headEnd ? text : undefined;
  if (/\r\ntransfer-encoding: chunked\r\n/i.test(head)) return readChunks(text, head)?.joined;
  const length = /\r\ncontent-length: (\d+)\r\n/i.exec(head)?.[1];
  return length !== undefined && text.length === headEnd + Number(length) ? text : undefined;
}
