// RFC 9113 §8, RFC 8441, from the client's end: what a response is.
import type { ScriptOptions, ScriptTable } from "../script-table.ts";

const ASKED = "! GET /\n< HEADERS(1, END_STREAM|END_HEADERS, [:method GET][:path /])";
const HEAD = "! HEAD /\n< HEADERS(1, END_STREAM|END_HEADERS, [:method HEAD][:path /])";
const UPLOADING = "! POST / …\n< HEADERS(1, END_HEADERS, [:method POST][:path /])";
const NEXT = `! GET /next\n< HEADERS(3, END_STREAM|END_HEADERS, [:method GET][:path /next])\n> HEADERS(3, END_STREAM|END_HEADERS, [:status 204])\n= 204`;
const FORGIVING: ScriptOptions = { config: { streamErrorOnInvalidMessage: true } };

/** The stream is reset, and the connection goes on. */
const malformed = (frames: string, asked = ASKED, outcome = "502 UPE"): string =>
  `${asked}\n${frames}\n< RST_STREAM(1, PROTOCOL_ERROR)\n= ${outcome}\n${NEXT}`;

const EXCHANGE: ScriptTable = {
  section: "RFC 9113 §8.1: a response",
  options: FORGIVING,
  cases: {
    "with a body": `${ASKED}\n> HEADERS(1, END_HEADERS, [:status 200])\n> DATA(1, 0, "te")\n> DATA(1, 0, "xt")\n> DATA(1, END_STREAM)\n= 200 text`,
    "without a body": `${ASKED}\n> HEADERS(1, END_STREAM|END_HEADERS, [:status 404])\n= 404`,
    "with trailers": `${ASKED}\n> HEADERS(1, END_HEADERS, [:status 200])\n> DATA(1, 0, "text")\n> HEADERS(1, END_STREAM|END_HEADERS, [x-t 1][x-u 2])\n= 200 text|x-t,1,x-u,2`,
    "behind informational ones, of which 100 was said before": `
      ${ASKED}
      > HEADERS(1, END_HEADERS, [:status 100])
      > HEADERS(1, END_HEADERS, [:status 103][link </a>])
      = 103
      > HEADERS(1, END_HEADERS, [:status 102])
      = 102
      > HEADERS(1, END_HEADERS, [:status 200])
      > DATA(1, END_STREAM, "ok")
      = 200 ok`,
    "that ends before its request ends that, too": `${UPLOADING}\n> HEADERS(1, END_HEADERS, [:status 413])\n> DATA(1, END_STREAM, "no")\n= 413 no\n< RST_STREAM(1, CANCEL)`,
    "that is followed by a reset without error": `${UPLOADING}\n> HEADERS(1, END_HEADERS, [:status 413])\n> DATA(1, END_STREAM, "no")\n> RST_STREAM(1, NO_ERROR)\n= 413 no\n< RST_STREAM(1, CANCEL)`,
    "to HEAD, with a length": `${HEAD}\n> HEADERS(1, END_STREAM|END_HEADERS, [:status 200][content-length 100])\n= 200`,
    "to HEAD, with a length and an empty DATA": `${HEAD}\n> HEADERS(1, END_HEADERS, [:status 200][content-length 100])\n> DATA(1, END_STREAM)\n= 200`,
    "of 304 with a length": `${ASKED}\n> HEADERS(1, END_STREAM|END_HEADERS, [:status 304][content-length 100])\n= 304`,
    "of 204": `${ASKED}\n> HEADERS(1, END_STREAM|END_HEADERS, [:status 204])\n= 204`,
  },
};

const MALFORMED: ScriptTable = {
  section: "RFC 9113 §8.1.1, §8.3.2: a malformed response",
  options: FORGIVING,
  cases: {
    "that is informational and ends the stream": malformed("> HEADERS(1, END_STREAM|END_HEADERS, [:status 103])"),
    "that switches protocols (§8.6)": malformed("> HEADERS(1, END_HEADERS, [:status 101])"),
    "whose DATA comes before its head": malformed(`> DATA(1, 0, "x")`),
    "that is nothing but an end": malformed("> DATA(1, END_STREAM)"),
    "without a status": malformed("> HEADERS(1, END_STREAM|END_HEADERS, [x-a 1])"),
    "without anything": malformed("> HEADERS(1, END_STREAM|END_HEADERS)"),
    "with two statuses": malformed("> HEADERS(1, END_STREAM|END_HEADERS, [:status 200][:status 200])"),
    "with a bad status and a good one": malformed("> HEADERS(1, END_STREAM|END_HEADERS, [:status x][:status 200])"),
    "with a status of two digits": malformed("> HEADERS(1, END_STREAM|END_HEADERS, [:status 99])"),
    "with a status of four digits": malformed("> HEADERS(1, END_STREAM|END_HEADERS, [:status 0200])"),
    "with a status that is no number": malformed("> HEADERS(1, END_STREAM|END_HEADERS, [:status 2o0])"),
    "with a reason in its status": malformed("> HEADERS(1, END_STREAM|END_HEADERS, [:status 200 OK])"),
    "with a pseudo-header of a request": malformed("> HEADERS(1, END_STREAM|END_HEADERS, [:status 200][:path /])"),
    "with a pseudo-header that nobody knows": malformed("> HEADERS(1, END_STREAM|END_HEADERS, [:status 200][:foo 1])"),
    "with a pseudo-header of the mesh transport": malformed("> HEADERS(1, END_STREAM|END_HEADERS, [:status 200][:reason Fine])"),
    "with a pseudo-header behind a header": malformed("> HEADERS(1, END_STREAM|END_HEADERS, [x-a 1][:status 200])"),
    "with an upper-case name": malformed("> HEADERS(1, END_STREAM|END_HEADERS, [:status 200][X-A 1])"),
    "with a header in a value": malformed("> HEADERS(1, END_STREAM|END_HEADERS, [:status 200][x-a 1\\r\\nset-cookie: b])"),
    "with a response in a value": malformed("> HEADERS(1, END_STREAM|END_HEADERS, [:status 200][x-a 1\\r\\n\\r\\nHTTP/1.1 200 OK\\r\\n\\r\\n])"),
    "with a zero in a value": malformed("> HEADERS(1, END_STREAM|END_HEADERS, [:status 200][x-a 1\\0])"),
    "with connection": malformed("> HEADERS(1, END_STREAM|END_HEADERS, [:status 200][connection close])"),
    "with transfer-encoding": malformed("> HEADERS(1, END_STREAM|END_HEADERS, [:status 200][transfer-encoding chunked])"),
    "with upgrade": malformed("> HEADERS(1, END_STREAM|END_HEADERS, [:status 200][upgrade h2c])"),
    "shorter than its length": malformed(`> HEADERS(1, END_HEADERS, [:status 200][content-length 5])\n> DATA(1, END_STREAM, "text")`, ASKED, "cut"),
    "with a length and no body": malformed("> HEADERS(1, END_STREAM|END_HEADERS, [:status 200][content-length 5])"),
    "with two lengths": malformed("> HEADERS(1, END_HEADERS, [:status 200][content-length 5][content-length 5])"),
    "with a length that is none": malformed("> HEADERS(1, END_HEADERS, [:status 200][content-length five])"),
    "whose trailers don't end it": malformed("> HEADERS(1, END_HEADERS, [:status 200][content-length 5])\n> HEADERS(1, END_HEADERS, [x-t 1])", ASKED, "cut"),
    "with a pseudo-header in its trailers": malformed(
      "> HEADERS(1, END_HEADERS, [:status 200])\n> HEADERS(1, END_STREAM|END_HEADERS, [:status 200])",
      ASKED,
      "cut",
    ),
    "with a malformed trailer": malformed(
      "> HEADERS(1, END_HEADERS, [:status 200])\n> HEADERS(1, END_STREAM|END_HEADERS, [X-T 1])",
      ASKED,
      "cut",
    ),
  },
};

// HTTP/1 clients may have been told all that belongs to it before the excess has come.
const EXCESS: ScriptTable = {
  section: "RFC 9113 §8.1.1: a response that should have no more content",
  options: { ...FORGIVING, isCodecOnly: true },
  cases: {
    "than its length says, but has": malformed(`> HEADERS(1, END_HEADERS, [:status 200][content-length 3])\n> DATA(1, 0, "text")`, ASKED, "cut"),
    "to HEAD, but has": malformed(`> HEADERS(1, END_HEADERS, [:status 200][content-length 4])\n> DATA(1, END_STREAM, "text")`, HEAD, "cut"),
    "of 204, but has": malformed(`> HEADERS(1, END_HEADERS, [:status 204])\n> DATA(1, END_STREAM, "text")`, ASKED, "cut"),
    "of 304, but has": malformed(`> HEADERS(1, END_HEADERS, [:status 304])\n> DATA(1, END_STREAM, "text")`, ASKED, "cut"),
    "but more informational ones than anybody needs": `
      ${ASKED}
      ${"> HEADERS(1, END_HEADERS, [:status 100])\n".repeat(101)}
      < RST_STREAM(1, ENHANCE_YOUR_CALM)
      = 502 UPE`,
  },
};

const STRICT: ScriptTable = {
  section: "RFC 9113 §8.1.1: a connection whose malformed responses are not forgiven",
  cases: {
    ends: `${ASKED}\n> HEADERS(1, END_STREAM|END_HEADERS, [x-a 1])\n< RST_STREAM(1, PROTOCOL_ERROR)\n< GOAWAY(0, PROTOCOL_ERROR)\n< closed\n= 502 UPE`,
    "ends when others are answered": `
      ${ASKED}
      ! GET /next
      < HEADERS(3, END_STREAM|END_HEADERS, [:method GET][:path /next])
      > HEADERS(1, END_STREAM|END_HEADERS, [x-a 1])
      < RST_STREAM(1, PROTOCOL_ERROR)
      = 502 UPE
      > HEADERS(3, END_STREAM|END_HEADERS, [:status 204])
      = 204
      < GOAWAY(0, PROTOCOL_ERROR)
      < closed`,
  },
};

const OFFERED = "< HEADERS(1, END_HEADERS, [:method CONNECT][:protocol websocket][:path /chat])";
const EXTENDED_CONNECT: ScriptTable = {
  section: "RFC 8441: an extended CONNECT",
  options: { opening: "preface", isCodecOnly: true },
  cases: {
    "waits for the server to say that it takes them": `
      ! UPGRADE /chat
      > SETTINGS(ENABLE_CONNECT_PROTOCOL=1)
      ${OFFERED}
      > HEADERS(1, END_HEADERS, [:status 200])
      = 101 tunnel
      > DATA(1, 0, "any")`,
    "lets other requests by while it waits": `
      ! UPGRADE /chat
      ! GET /
      < HEADERS(1, END_STREAM|END_HEADERS, [:method GET][:path /])
      > SETTINGS(ENABLE_CONNECT_PROTOCOL=1)
      ${OFFERED.replace("(1", "(3")}`,
    "fails where the server takes none": `! UPGRADE /chat\n> SETTINGS()\n= 502 UPE`,
    "fails where the server is known to take none": `> SETTINGS(ENABLE_CONNECT_PROTOCOL=0)\n! UPGRADE /chat\n= 502 UPE`,
    "that is given up while it waits was never sent": `! UPGRADE /chat\n! reset\n> SETTINGS(ENABLE_CONNECT_PROTOCOL=1)`,
    "that is refused is an ordinary response": `
      > SETTINGS(ENABLE_CONNECT_PROTOCOL=1)
      ! UPGRADE /chat
      ${OFFERED}
      > HEADERS(1, END_HEADERS, [:status 403])
      > DATA(1, END_STREAM, "no")
      = 403 no
      < RST_STREAM(1, CANCEL)`,
    "opens a tunnel, of which trailers are no part": `
      > SETTINGS(ENABLE_CONNECT_PROTOCOL=1)
      ! UPGRADE /chat
      ${OFFERED}
      > HEADERS(1, END_HEADERS, [:status 200])
      = 101 tunnel
      > HEADERS(1, END_STREAM|END_HEADERS, [x-t 1])
      < RST_STREAM(1, PROTOCOL_ERROR)
      = cut`,
    "stays allowed once it was": `
      > SETTINGS(ENABLE_CONNECT_PROTOCOL=1)
      > SETTINGS()
      ! UPGRADE /chat
      < SETTINGS(ACK)
      ${OFFERED}`,
    "must not be disallowed again": `
      > SETTINGS(ENABLE_CONNECT_PROTOCOL=1)
      > SETTINGS(ENABLE_CONNECT_PROTOCOL=0)
      < SETTINGS(ACK)
      < GOAWAY(0, PROTOCOL_ERROR)
      < closed`,
  },
};

export const CLIENT_MESSAGE_TABLES: readonly ScriptTable[] = [EXCHANGE, MALFORMED, EXCESS, STRICT, EXTENDED_CONNECT];
