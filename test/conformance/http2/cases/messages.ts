// RFC 9113 §8, RFC 8441, §10.5.1: what a request is.
import { answered, failing, refused, type ScriptOptions, type ScriptTable } from "../script-table.ts";

const OPEN = "> HEADERS(1, END_HEADERS, POST)";
const NEXT = `> HEADERS(3, END_STREAM|END_HEADERS, GET)\n${answered(3)}`;
/** A malformed message ends its stream, and not the connection. */
const FORGIVING: ScriptOptions = { config: { streamErrorOnInvalidMessage: true } };

function each(cases: Readonly<Record<string, string>>, toScript: (fields: string) => string): Record<string, string> {
  return Object.fromEntries(Object.entries(cases).map(([name, fields]) => [name, toScript(fields)]));
}

/** Requests that are answered with 400 and leave the connection as it is. */
const malformed = (cases: Readonly<Record<string, string>>): Record<string, string> =>
  each(cases, (fields) => `> HEADERS(1, END_STREAM|END_HEADERS, ${fields})\n${refused(1)}\n${NEXT}`);

const taken = (cases: Readonly<Record<string, string>>): Record<string, string> =>
  each(cases, (fields) => `> HEADERS(1, END_STREAM|END_HEADERS, ${fields})\n${answered(1)}`);

const EXCHANGE: ScriptTable = {
  section: "RFC 9113 §8.1: a request",
  options: FORGIVING,
  cases: {
    "with trailers": `${OPEN}\n> DATA(1, 0, "text")\n> HEADERS(1, END_STREAM|END_HEADERS, [x-t 1])\n${answered(1)}\n= POST / text|x-t,1`,
    "with trailers and no body": `${OPEN}\n> HEADERS(1, END_STREAM|END_HEADERS, [x-t 1])\n${answered(1)}\n= POST / |x-t,1`,
    "with trailers that don't end it": `${OPEN}\n> HEADERS(1, END_HEADERS, [x-t 1])\n< RST_STREAM(1, PROTOCOL_ERROR)\n${NEXT}`,
    "with a pseudo-header in its trailers": `${OPEN}\n> HEADERS(1, END_STREAM|END_HEADERS, [x-t 1][:path /])\n< RST_STREAM(1, PROTOCOL_ERROR)\n${NEXT}`,
    "with a malformed name in its trailers": `${OPEN}\n> HEADERS(1, END_STREAM|END_HEADERS, [X-T 1])\n< RST_STREAM(1, PROTOCOL_ERROR)\n${NEXT}`,
    "with transfer-encoding in its trailers": `${OPEN}\n> HEADERS(1, END_STREAM|END_HEADERS, [transfer-encoding chunked])\n< RST_STREAM(1, PROTOCOL_ERROR)\n${NEXT}`,
    "with DATA behind its trailers": `> HEADERS(1, END_HEADERS, POST /wait)\n> HEADERS(1, END_STREAM|END_HEADERS, [x-t 1])\n> DATA(1, END_STREAM, "x")\n< RST_STREAM(1, STREAM_CLOSED)\n${NEXT}`,
    "that is answered before its end": `> HEADERS(1, END_HEADERS, POST /early)\n${answered(1)}\n< RST_STREAM(1, NO_ERROR)\n> DATA(1, END_STREAM, "late")\n${NEXT}`,
    "that waits to be told to go on": `
      > HEADERS(1, END_HEADERS, POST [expect 100-continue])
      < HEADERS(1, END_HEADERS, [:status 100])
      > DATA(1, END_STREAM, "text")
      ${answered(1)}
      = POST / text`,
    "that waits to be told to go on, and has no body": `> HEADERS(1, END_STREAM|END_HEADERS, POST [expect 100-continue])\n${answered(1)}`,
    "answered beside others, each when it is whole": `
      > HEADERS(1, END_HEADERS, POST)
      > HEADERS(3, END_HEADERS, POST)
      > DATA(3, END_STREAM, "second")
      ${answered(3)}
      = POST / second
      > DATA(1, END_STREAM, "first")
      ${answered(1)}
      = POST / first`,
  },
};

const STRICT: ScriptTable = {
  section: "RFC 9113 §8.1.1: a connection whose malformed messages are not forgiven",
  cases: {
    "answers, and ends": `> HEADERS(1, END_STREAM|END_HEADERS, GET [X-A 1])\n${failing(refused(1), "PROTOCOL_ERROR", 1)}`,
    "answers what was under way before, and nothing behind": `
      > HEADERS(1, END_HEADERS, POST)
      > HEADERS(3, END_STREAM|END_HEADERS, GET [X-A 1])
      > HEADERS(5, END_STREAM|END_HEADERS, GET)
      ${refused(3)}
      < GOAWAY(3, PROTOCOL_ERROR)
      < RST_STREAM(5, REFUSED_STREAM)
      > DATA(1, END_STREAM, "x")
      ${answered(1)}
      < closed`,
    "resets what has not ended": `
      > HEADERS(1, END_HEADERS, POST [X-A 1])
      ${refused(1)}
      < RST_STREAM(1, PROTOCOL_ERROR)
      < GOAWAY(1, PROTOCOL_ERROR)
      < closed`,
    "ends for a body that is too long": `
      > HEADERS(1, END_HEADERS, POST [content-length 3])
      > DATA(1, END_STREAM, "text")
      < RST_STREAM(1, PROTOCOL_ERROR)
      < GOAWAY(1, PROTOCOL_ERROR)
      < closed`,
    "ends for malformed trailers": `
      > HEADERS(1, END_HEADERS, POST)
      > HEADERS(1, END_STREAM|END_HEADERS, [X-T 1])
      < RST_STREAM(1, PROTOCOL_ERROR)
      < GOAWAY(1, PROTOCOL_ERROR)
      < closed`,
  },
};

const post = (length: string, ...frames: string[]): string => [`> HEADERS(1, END_HEADERS, POST [content-length ${length}])`, ...frames].join("\n");

const CONTENT_LENGTH: ScriptTable = {
  section: "RFC 9113 §8.1.1: a content-length",
  options: FORGIVING,
  cases: {
    "that fits": `${post("4", `> DATA(1, 0, "te")`, `> DATA(1, END_STREAM, "xt", pad=3)`)}\n${answered(1)}\n= POST / text`,
    "of 0 without a body": `> HEADERS(1, END_STREAM|END_HEADERS, POST [content-length 0])\n${answered(1)}`,
    "of 0, and DATA": `> HEADERS(1, END_HEADERS, POST /wait [content-length 0])\n> DATA(1, END_STREAM, "GET /admin HTTP/1.1\\r\\n\\r\\n")\n< RST_STREAM(1, PROTOCOL_ERROR)\n${NEXT}`,
    "that is shorter than the body": `${post("3", `> DATA(1, END_STREAM, "text")`)}\n< RST_STREAM(1, PROTOCOL_ERROR)\n${NEXT}`,
    "that is shorter than the first part of the body": `${post("1", `> DATA(1, 0, "te")`)}\n< RST_STREAM(1, PROTOCOL_ERROR)\n${NEXT}`,
    "that is longer than the body": `${post("5", `> DATA(1, END_STREAM, "text")`)}\n< RST_STREAM(1, PROTOCOL_ERROR)\n${NEXT}`,
    "that is longer than the body, with trailers": `${post("5", `> DATA(1, 0, "text")`, "> HEADERS(1, END_STREAM|END_HEADERS, [x-t 1])")}\n< RST_STREAM(1, PROTOCOL_ERROR)\n${NEXT}`,
    ...malformed({
      "of more than 0 without a body": "POST [content-length 4]",
      "that is empty": "POST [content-length]",
      "below 0": "POST [content-length -1]",
      "with a sign": "POST [content-length +0]",
      "in hexadecimal": "POST [content-length 0x0]",
      "with a fraction": "POST [content-length 0.0]",
      "that is a list": "POST [content-length 0, 0]",
      "with a blank in it": "POST [content-length 0 0]",
      "of more digits than anybody can count": "POST [content-length 10000000000000000000]",
      "given twice": "POST [content-length 0][content-length 0]",
      "given twice, differently": "POST [content-length 0][content-length 5]",
    }),
  },
};

// A server behind a proxy may answer before the end has come, or after an invitation.
const ORDER: ScriptTable = {
  section: "RFC 9113 §8.1: a request, and the moment of its answer,",
  options: { ...FORGIVING, isCodecOnly: true },
  cases: {
    "that waits to be told to go on, and is answered instead": `> HEADERS(1, END_HEADERS, POST /early [expect 100-Continue])\n${answered(1)}\n< RST_STREAM(1, NO_ERROR)`,
    "with a content-length that fits, with trailers": `${post("4", `> DATA(1, 0, "text")`, "> HEADERS(1, END_STREAM|END_HEADERS, [x-t 1])")}\n${answered(1)}`,
    "with a content-length of 0, and an empty DATA": `${post("0", "> DATA(1, END_STREAM)")}\n${answered(1)}`,
  },
};

const FIELDS: ScriptTable = {
  section: "RFC 9113 §8.2.1: a field",
  options: FORGIVING,
  cases: {
    ...taken({
      "with every character of a name": "GET [!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz 1]",
      "with blanks and tabs in its value": "GET [x-a b \\t c]",
      "with bytes above ASCII in its value": "GET [x-a \\x80\\xff]",
      "without a value": "GET [x-a]",
      "with commas, colons and quotes in its value": `GET [x-a a, b: "c"; d=e]`,
    }),
    ...malformed({
      "with an upper-case name": "GET [X-A 1]",
      "with an upper-case letter in its name": "GET [x-aB 1]",
      "without a name": "GET [ 1]",
      "with a colon in its name": "GET [x:a 1]",
      "with a colon behind its name": "GET [x-a: 1]",
      "with a tab in its name": "GET [x\\ta 1]",
      "with a line end in its name": "GET [x-a\\r\\nx-b 1]",
      "with a zero in its name": "GET [x\\0a 1]",
      "with DEL in its name": "GET [x\\x7fa 1]",
      "with a byte above ASCII in its name": "GET [x\\xe4 1]",
      "with a line feed in its value": "GET [x-a 1\\nx-b: 2]",
      "with a carriage return in its value": "GET [x-a 1\\rx-b: 2]",
      "with a header in its value": "GET [x-a 1\\r\\nx-b: 2]",
      "with a request in its value": "GET [x-a 1\\r\\n\\r\\nGET /admin HTTP/1.1\\r\\nhost: a\\r\\n\\r\\n]",
      "with a zero in its value": "GET [x-a 1\\02]",
      "with a control byte in its value": "GET [x-a 1\\x1b2]",
      "with DEL in its value": "GET [x-a 1\\x7f2]",
      "with a blank before its value": "GET [x-a  1]",
      "with a blank behind its value": "GET [x-a 1 ]",
      "with a tab before its value": "GET [x-a \\t1]",
      "with a tab behind its value": "GET [x-a 1\\t]",
    }),
  },
};

const CONNECTION_FIELDS: ScriptTable = {
  section: "RFC 9113 §8.2.2: a field that belongs to a connection",
  options: FORGIVING,
  cases: {
    ...malformed({
      connection: "GET [connection close]",
      "connection, that names another": "GET [connection x-a][x-a 1]",
      "keep-alive": "GET [keep-alive timeout=5]",
      "proxy-connection": "GET [proxy-connection keep-alive]",
      "transfer-encoding": "GET [transfer-encoding chunked]",
      "transfer-encoding of nothing": "GET [transfer-encoding identity]",
      upgrade: "GET [upgrade websocket]",
      "upgrade, with connection": "GET [connection upgrade][upgrade h2c]",
      "te with another member": "GET [te trailers, deflate]",
      "te without trailers": "GET [te gzip]",
    }),
    ...taken({ "te of trailers": "GET [te trailers]", "te of TRAILERS": "GET [te Trailers]" }),
  },
};

const PSEUDO: ScriptTable = {
  section: "RFC 9113 §8.3: pseudo-headers",
  options: FORGIVING,
  cases: {
    ...taken({
      "in any order": "[:authority a][:path /][:scheme http][:method GET]",
      "without an authority, but with a host": "[:method GET][:scheme http][:path /][host a]",
      "with an authority that is the host": "GET [host a]",
      "with an authority that is the host in another case": "GET [host A]",
      "with another scheme": "[:method GET][:scheme https][:path /][:authority a]",
      "with a method of its own": "[:method PURGE-ALL!][:scheme http][:path /][:authority a]",
      "with a path of * for OPTIONS": "[:method OPTIONS][:scheme http][:path *][:authority a]",
      "with a port": "[:method GET][:scheme http][:path /][:authority a:8080]",
      "with an IPv6 address": "[:method GET][:scheme http][:path /?a=b&c=%20][:authority a]",
    }),
    ...malformed({
      "that nobody knows": "GET [:foo bar]",
      "of a response": "GET [:status 200]",
      "behind a header": "[:method GET][:scheme http][:path /][x-a 1][:authority a]",
      "behind a header, known already": "GET [x-a 1][:path /]",
      "in upper case": "[:METHOD GET][:scheme http][:path /][:authority a]",
      "without a method": "[:scheme http][:path /][:authority a]",
      "without a scheme": "[:method GET][:path /][:authority a]",
      "without a path": "[:method GET][:scheme http][:authority a]",
      "with two methods": "GET [:method GET]",
      "with two schemes": "GET [:scheme http]",
      "with two paths": "GET [:path /]",
      "with two authorities": "GET [:authority a]",
      "of the mesh transport": "GET [:version 1.1]",
      "with an empty method": "[:method][:scheme http][:path /][:authority a]",
      "with a method of two words": "[:method GET /admin][:scheme http][:path /][:authority a]",
      "with a line end in the method": "[:method GET\\r\\n][:scheme http][:path /][:authority a]",
      "with an empty scheme": "[:method GET][:scheme][:path /][:authority a]",
      "with a scheme that is none": "[:method GET][:scheme http://a/?][:path /][:authority a]",
      "with an empty path": "[:method GET][:scheme http][:path][:authority a]",
      "with a path that does not begin with a slash": "[:method GET][:scheme http][:path a][:authority a]",
      "with a path that is a whole URL": "[:method GET][:scheme http][:path http://b/][:authority a]",
      "with a path of * for GET": "[:method GET][:scheme http][:path *][:authority a]",
      "with a blank in the path": "[:method GET][:scheme http][:path /a b][:authority a]",
      "with a version in the path": "[:method GET][:scheme http][:path / HTTP/1.1][:authority a]",
      "with a header in the path": "[:method GET][:scheme http][:path / HTTP/1.1\\r\\nx-a: 1][:authority a]",
      "with a tab in the path": "[:method GET][:scheme http][:path /\\ta][:authority a]",
      "with a zero in the path": "[:method GET][:scheme http][:path /\\0][:authority a]",
      "with a fragment in the path": "[:method GET][:scheme http][:path /#a][:authority a]",
      "with an empty authority": "[:method GET][:scheme http][:path /][:authority]",
      "with a user in the authority": "[:method GET][:scheme http][:path /][:authority u@a]",
      "with a path in the authority": "[:method GET][:scheme http][:path /][:authority a/b]",
      "with a blank in the authority": "[:method GET][:scheme http][:path /][:authority a b]",
      "with a header in the authority": "[:method GET][:scheme http][:path /][:authority a\\r\\nx-a: 1]",
      "with a port that is none": "[:method GET][:scheme http][:path /][:authority a:x]",
      "with another host beside the authority": "GET [host b]",
      "with the host given twice": "GET [host a][host a]",
      "with two hosts and no authority": "[:method GET][:scheme http][:path /][host a][host b]",
      "with a host that is none": "[:method GET][:scheme http][:path /][host a/b]",
    }),
    "with neither an authority nor a host": `> HEADERS(1, END_STREAM|END_HEADERS, [:method GET][:scheme http][:path /])\n${refused(1)}\n${NEXT}`,
  },
};

const CONNECT_FIELDS = "[:method CONNECT][:authority a:80]";
const CONNECT: ScriptTable = {
  section: "RFC 9113 §8.5: CONNECT",
  options: { ...FORGIVING, isCodecOnly: true },
  cases: {
    "opens a tunnel": `
      > HEADERS(1, END_HEADERS, ${CONNECT_FIELDS})
      = connect a:80
      < HEADERS(1, END_HEADERS, [:status 200])
      > DATA(1, 0, "any")
      > DATA(1, END_STREAM, "bytes")`,
    "of which frames other than DATA are no part": `
      > HEADERS(1, END_HEADERS, ${CONNECT_FIELDS})
      < HEADERS(1, END_HEADERS, [:status 200])
      > HEADERS(1, END_STREAM|END_HEADERS, [x-t 1])
      < RST_STREAM(1, PROTOCOL_ERROR)
      ${NEXT}`.replace("= connect a:80\n", ""),
    ...malformed({
      "with a scheme": `${CONNECT_FIELDS.replace("[:authority", "[:scheme http][:authority")}`,
      "with a path": `${CONNECT_FIELDS.replace("[:authority", "[:path /][:authority")}`,
      "without an authority": "[:method CONNECT][host a:80]",
      "without a port": "[:method CONNECT][:authority a]",
      "with a port that there is not": "[:method CONNECT][:authority a:65536]",
      "with a body": `${CONNECT_FIELDS}[content-length 5]`,
      "with a protocol that was not allowed (RFC 8441 §4)": "[:method CONNECT][:protocol websocket][:scheme http][:path /][:authority a]",
    }),
  },
};

const EXTENDED = "[:method CONNECT][:protocol websocket][:scheme http][:path /chat][:authority a]";
const EXTENDED_CONNECT: ScriptTable = {
  section: "RFC 8441: an extended CONNECT",
  options: { config: { allowConnect: true, streamErrorOnInvalidMessage: true }, isCodecOnly: true },
  cases: {
    "opens a tunnel": `
      > HEADERS(1, END_HEADERS, ${EXTENDED})
      = websocket a/chat
      < HEADERS(1, END_HEADERS, [:status 200])
      > DATA(1, 0, "any")
      > DATA(1, END_STREAM, "bytes")`,
    "of which trailers are no part": `
      > HEADERS(1, END_HEADERS, ${EXTENDED})
      < HEADERS(1, END_HEADERS, [:status 200])
      > HEADERS(1, END_STREAM|END_HEADERS, [x-t 1])
      < RST_STREAM(1, PROTOCOL_ERROR)
      ${NEXT}`,
    "that has not been answered has no trailers, either": `
      > HEADERS(1, END_HEADERS, ${EXTENDED.replace("/chat", "/wait")})
      > HEADERS(1, END_STREAM|END_HEADERS, [x-t 1])
      < RST_STREAM(1, PROTOCOL_ERROR)
      ${NEXT}`,
    ...malformed({
      "without a scheme": EXTENDED.replace("[:scheme http]", ""),
      "without a path": EXTENDED.replace("[:path /chat]", ""),
      "without an authority": EXTENDED.replace("[:authority a]", ""),
      "that is no CONNECT": EXTENDED.replace("CONNECT", "GET"),
      "with two protocols": `${EXTENDED}`.replace("[:scheme", "[:protocol b][:scheme"),
      "with a body": `${EXTENDED}[content-length 5]`,
      "to HTTP itself": EXTENDED.replace("websocket", "h2c"),
    }),
  },
};

const LARGE: ScriptTable = {
  section: "RFC 9113 §10.5.1: a head",
  options: { limits: { maxBytes: 1024, maxHeaders: 10 } },
  cases: {
    "that is too large": `> HEADERS(1, END_STREAM|END_HEADERS, GET [x-a ${"a".repeat(1000)}])\n${refused(1, 431, "Request Header Fields Too Large")}\n${NEXT}`,
    "with too many fields": `> HEADERS(1, END_STREAM|END_HEADERS, GET ${"[x-a 1]".repeat(20)})\n${refused(1, 431, "Request Header Fields Too Large")}\n${NEXT}`,
    "that is too large, and has a body": `
      > HEADERS(1, END_HEADERS, POST [x-a ${"a".repeat(1000)}])
      ${refused(1, 431, "Request Header Fields Too Large")}
      < RST_STREAM(1, NO_ERROR)
      > DATA(1, END_STREAM, "text")
      ${NEXT}`,
    "with trailers that are too large": `${OPEN}\n> HEADERS(1, END_STREAM|END_HEADERS, [x-a ${"a".repeat(1000)}])\n< RST_STREAM(1, PROTOCOL_ERROR)\n${NEXT}`,
    "far beyond all measure": failing(
      `> HEADERS(1, END_STREAM, GET)\n> CONTINUATION(1, 0, [x-a ${"a".repeat(2100)}])`,
      "ENHANCE_YOUR_CALM",
    ),
    "in very many frames": failing(`> HEADERS(1, END_STREAM, GET)${"\n> CONTINUATION(1, 0)".repeat(100)}`, "ENHANCE_YOUR_CALM"),
  },
};

export const MESSAGE_TABLES: readonly ScriptTable[] = [
  EXCHANGE,
  STRICT,
  CONTENT_LENGTH,
  ORDER,
  FIELDS,
  CONNECTION_FIELDS,
  PSEUDO,
  CONNECT,
  EXTENDED_CONNECT,
  LARGE,
];
