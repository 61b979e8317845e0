// RFC 9113 §5: the states of a stream, their ids, how many there are, what ends one and what ends all.
import { answered, failing, type ScriptTable } from "../script-table.ts";

const HALF_CLOSED = "> HEADERS(1, END_STREAM|END_HEADERS, GET /wait)";
const OPEN = "> HEADERS(1, END_HEADERS, POST /wait)";
const DONE = `> HEADERS(1, END_STREAM|END_HEADERS, GET)\n${answered(1)}`;
const NEXT = `> HEADERS(3, END_STREAM|END_HEADERS, GET)\n${answered(3)}`;

const IDLE: ScriptTable = {
  section: "RFC 9113 §5.1: on an idle stream",
  cases: {
    DATA: failing(`> DATA(1, END_STREAM, "x")`, "PROTOCOL_ERROR"),
    "an empty DATA": failing("> DATA(1, END_STREAM)", "PROTOCOL_ERROR"),
    "a RST_STREAM": failing("> RST_STREAM(1, CANCEL)", "PROTOCOL_ERROR"),
    "a WINDOW_UPDATE": failing("> WINDOW_UPDATE(1, 100)", "PROTOCOL_ERROR"),
    "a WINDOW_UPDATE, behind open streams": failing(`${HALF_CLOSED}\n> WINDOW_UPDATE(3, 100)`, "PROTOCOL_ERROR", 1),
    "a CONTINUATION": failing("> CONTINUATION(1, END_HEADERS, GET)", "PROTOCOL_ERROR"),
    "a PRIORITY is taken": `> PRIORITY(1, depends=0)\n> PRIORITY(9, depends=7)\n${DONE}`,
  },
};

const OPEN_STREAM: ScriptTable = {
  section: "RFC 9113 §5.1: on an open stream",
  cases: {
    "DATA, and its end": `> HEADERS(1, END_HEADERS, POST)\n> DATA(1, 0, "te")\n> DATA(1, END_STREAM, "xt")\n${answered(1)}\n= POST / text`,
    "an end without data": `> HEADERS(1, END_HEADERS, POST)\n> DATA(1, END_STREAM)\n${answered(1)}\n= POST / `,
    "a RST_STREAM closes it": `${OPEN}\n> RST_STREAM(1, CANCEL)\n${NEXT}`,
    "a WINDOW_UPDATE and a PRIORITY": `> HEADERS(1, END_HEADERS, POST)\n> WINDOW_UPDATE(1, 5)\n> PRIORITY(1, depends=0)\n> DATA(1, END_STREAM)\n${answered(1)}`,
  },
};

const HALF_CLOSED_STREAM: ScriptTable = {
  section: "RFC 9113 §5.1: on a stream that its client has ended",
  cases: {
    DATA: `${HALF_CLOSED}\n> DATA(1, END_STREAM, "x")\n< RST_STREAM(1, STREAM_CLOSED)\n${NEXT}`,
    "an empty DATA": `${HALF_CLOSED}\n> DATA(1, END_STREAM)\n< RST_STREAM(1, STREAM_CLOSED)\n${NEXT}`,
    HEADERS: `${HALF_CLOSED}\n> HEADERS(1, END_STREAM|END_HEADERS, [x-t 1])\n< RST_STREAM(1, STREAM_CLOSED)\n${NEXT}`,
    "HEADERS and CONTINUATION": `${HALF_CLOSED}\n> HEADERS(1, END_STREAM, [x-t 1])\n> CONTINUATION(1, END_HEADERS)\n< RST_STREAM(1, STREAM_CLOSED)\n${NEXT}`,
    "a CONTINUATION": failing(`${HALF_CLOSED}\n> CONTINUATION(1, END_HEADERS, [x-t 1])`, "PROTOCOL_ERROR", 1),
    "a WINDOW_UPDATE": `${HALF_CLOSED}\n> WINDOW_UPDATE(1, 100)\n${NEXT}`,
    "a PRIORITY": `${HALF_CLOSED}\n> PRIORITY(1, depends=0)\n${NEXT}`,
    "a RST_STREAM": `${HALF_CLOSED}\n> RST_STREAM(1, CANCEL)\n${NEXT}`,
    "a frame of an unknown type": `${HALF_CLOSED}\n> FRAME(200, 0, 1)\n${NEXT}`,
  },
};

const RESET = `${OPEN}\n> RST_STREAM(1, CANCEL)`;
const RESET_BY_US = `> HEADERS(1, END_HEADERS, POST /early)\n${answered(1)}\n< RST_STREAM(1, NO_ERROR)`;

const CLOSED: ScriptTable = {
  section: "RFC 9113 §5.1: on a closed stream",
  cases: {
    DATA: `${DONE}\n> DATA(1, 0, "x")\n< RST_STREAM(1, STREAM_CLOSED)\n${NEXT}`,
    HEADERS: failing(`${DONE}\n> HEADERS(1, END_STREAM|END_HEADERS, GET)`, "STREAM_CLOSED", 1),
    "a CONTINUATION": failing(`${DONE}\n> CONTINUATION(1, END_HEADERS, GET)`, "PROTOCOL_ERROR", 1),
    "a WINDOW_UPDATE": `${DONE}\n> WINDOW_UPDATE(1, 100)\n${NEXT}`,
    "a RST_STREAM": `${DONE}\n> RST_STREAM(1, STREAM_CLOSED)\n${NEXT}`,
    "a PRIORITY": `${DONE}\n> PRIORITY(1, depends=0)\n${NEXT}`,
    "which the client has reset, DATA": `${RESET}\n> DATA(1, 0, "x")\n< RST_STREAM(1, STREAM_CLOSED)\n${NEXT}`,
    "which the client has reset, HEADERS": failing(`${RESET}\n> HEADERS(1, END_STREAM|END_HEADERS, [x-t 1])`, "STREAM_CLOSED", 1),
    "which the client has reset, a WINDOW_UPDATE": `${RESET}\n> WINDOW_UPDATE(1, 100)\n${NEXT}`,
    "which the client has reset, another RST_STREAM": `${RESET}\n> RST_STREAM(1, CANCEL)\n${NEXT}`,
    "which we have reset, anything": `
      ${RESET_BY_US}
      > WINDOW_UPDATE(1, 100)
      > DATA(1, 0, "text")
      > PRIORITY(1, depends=0)
      > HEADERS(1, END_STREAM|END_HEADERS, [x-t 1])
      > RST_STREAM(1, CANCEL)
      ${NEXT}`,
  },
};

const IDS: ScriptTable = {
  section: "RFC 9113 §5.1.1: a stream",
  cases: {
    "with an even id": failing("> HEADERS(2, END_STREAM|END_HEADERS, GET)", "PROTOCOL_ERROR"),
    "with an id that was passed over": failing(`${NEXT}\n> HEADERS(1, END_STREAM|END_HEADERS, GET)`, "PROTOCOL_ERROR", 3),
    "with the id of a stream that is gone": failing(`${DONE}\n${NEXT}\n> HEADERS(1, END_STREAM|END_HEADERS, GET)`, "STREAM_CLOSED", 3),
    "with the highest id there is": `> HEADERS(2147483647, END_STREAM|END_HEADERS, GET)\n${answered(2147483647)}`,
    "with id 0": failing("> HEADERS(0, END_STREAM|END_HEADERS, GET)", "PROTOCOL_ERROR"),
  },
};

const CONCURRENCY: ScriptTable = {
  section: "RFC 9113 §5.1.2: a stream",
  options: { config: { maxConcurrentStreams: 2 } },
  cases: {
    "beyond the limit is refused, and another is taken when there is room": `
      > HEADERS(1, END_STREAM|END_HEADERS, GET /wait)
      > HEADERS(3, END_HEADERS, POST /wait)
      > HEADERS(5, END_STREAM|END_HEADERS, GET)
      < RST_STREAM(5, REFUSED_STREAM)
      > DATA(5, END_STREAM, "late")
      > RST_STREAM(1, CANCEL)
      > HEADERS(7, END_STREAM|END_HEADERS, GET)
      ${answered(7)}`,
  },
};

const PRIORITIES: ScriptTable = {
  section: "RFC 9113 §5.3: priority",
  cases: {
    "in HEADERS is ignored": `> HEADERS(1, END_STREAM|END_HEADERS, GET, depends=9, weight=255)\n${answered(1)}`,
    "in frames is ignored": `> PRIORITY(1, depends=0, weight=200)\n> PRIORITY(7, depends=1)\n${DONE}`,
    "of a stream on itself, in HEADERS": failing("> HEADERS(1, END_STREAM|END_HEADERS, GET, depends=1)", "PROTOCOL_ERROR"),
    "of an open stream on itself": `${HALF_CLOSED}\n> PRIORITY(1, depends=1)\n< RST_STREAM(1, PROTOCOL_ERROR)\n${NEXT}`,
  },
};

const ERRORS: ScriptTable = {
  section: "RFC 9113 §5.4: an error",
  cases: {
    "of the connection names the last stream": failing(`${DONE}\n${NEXT}\n> PING("short")`, "FRAME_SIZE_ERROR", 3),
    "of the connection ends the reading": failing(`> PING("short")\n> PING("12345678")\n> HEADERS(1, END_STREAM|END_HEADERS, GET)`, "FRAME_SIZE_ERROR"),
    "of a stream ends no other": `
      > HEADERS(1, END_STREAM|END_HEADERS, GET /wait)
      > HEADERS(3, END_HEADERS, POST)
      > WINDOW_UPDATE(1, 0)
      < RST_STREAM(1, PROTOCOL_ERROR)
      > DATA(3, END_STREAM, "x")
      ${answered(3)}`,
    "code that nobody knows is taken, of a stream": `${OPEN}\n> RST_STREAM(1, 4294967295)\n${NEXT}`,
    "code that nobody knows is taken, of the connection": `> GOAWAY(0, 4294967295)\n${DONE}`,
  },
};

export const STREAM_TABLES: readonly ScriptTable[] = [
  IDLE,
  OPEN_STREAM,
  HALF_CLOSED_STREAM,
  CLOSED,
  IDS,
  CONCURRENCY,
  PRIORITIES,
  ERRORS,
];
