// RFC 9113 §6: each type of frame, but for flow control.
import { answered, failing, type ScriptTable } from "../script-table.ts";

const OPEN = "> HEADERS(1, END_HEADERS, POST)";
const WAITING = "> HEADERS(1, END_STREAM|END_HEADERS, GET /wait)";
const NEXT = `> HEADERS(3, END_STREAM|END_HEADERS, GET)\n${answered(3)}`;

const DATA: ScriptTable = {
  section: "RFC 9113 §6.1: DATA",
  cases: {
    "on stream 0": failing(`> DATA(0, END_STREAM, "x")`, "PROTOCOL_ERROR"),
    "on stream 0, empty": failing("> DATA(0, 0)", "PROTOCOL_ERROR"),
    "with padding": `${OPEN}\n> DATA(1, 0, "te", pad=7)\n> DATA(1, END_STREAM, "xt", pad=255)\n${answered(1)}\n= POST / text`,
    "with padding of no length": `${OPEN}\n> DATA(1, END_STREAM, "text", pad=0)\n${answered(1)}\n= POST / text`,
    "of nothing but padding": `${OPEN}\n> DATA(1, 0, "text", pad=1)\n> DATA(1, END_STREAM, pad=9)\n${answered(1)}\n= POST / text`,
    "with a padding as long as its payload": failing(`${OPEN}\n> FRAME(0, 9, 1, hex:05 61 62 63 64)`, "PROTOCOL_ERROR", 1),
    "with a padding longer than its payload": failing(`${OPEN}\n> FRAME(0, 9, 1, hex:ff 61 62 63 64)`, "PROTOCOL_ERROR", 1),
    "with a padding one byte shorter than its payload": `${OPEN}\n> FRAME(0, 9, 1, hex:04 61 62 63 64)\n${answered(1)}\n= POST / `,
    "that is padded and has no length of it": failing(`${OPEN}\n> FRAME(0, 9, 1)`, "FRAME_SIZE_ERROR", 1),
  },
};

const HEADERS: ScriptTable = {
  section: "RFC 9113 §6.2: HEADERS",
  cases: {
    "on stream 0": failing("> HEADERS(0, END_STREAM|END_HEADERS, GET)", "PROTOCOL_ERROR"),
    "with padding": `> HEADERS(1, END_STREAM|END_HEADERS, GET, pad=20)\n${answered(1)}`,
    "with padding and priority": `> HEADERS(1, END_STREAM|END_HEADERS, GET, pad=20, depends=3, weight=7)\n${answered(1)}`,
    "with padding, and a CONTINUATION": `> HEADERS(1, END_STREAM, hex:82 86, pad=20)\n> CONTINUATION(1, END_HEADERS, hex:84 41 01 61)\n${answered(1)}`,
    "with a padding longer than its payload": failing("> FRAME(1, 13, 1, hex:ff 82 86 84 41 01 61)", "PROTOCOL_ERROR"),
    "with a padding one byte too long": failing("> FRAME(1, 13, 1, hex:03 82 86)", "PROTOCOL_ERROR"),
    "with a padding that leaves no room for its priority": failing("> FRAME(1, 45, 1, hex:03 00 00 00 00 0f 82 86)", "PROTOCOL_ERROR"),
    "that is padded and has no length of it": failing("> FRAME(1, 13, 1)", "FRAME_SIZE_ERROR"),
    "too short for its priority": failing("> FRAME(1, 37, 1, hex:00 00 00 00)", "FRAME_SIZE_ERROR"),
    "too short for its priority behind a length of padding": failing("> FRAME(1, 45, 1, hex:00 00 00 00 00)", "FRAME_SIZE_ERROR"),
  },
};

const PRIORITY: ScriptTable = {
  section: "RFC 9113 §6.3: a PRIORITY",
  cases: {
    "on stream 0": failing("> PRIORITY(0, depends=1)", "PROTOCOL_ERROR"),
    "of 4 bytes, on an open stream": `${WAITING}\n> FRAME(2, 0, 1, hex:00 00 00 00)\n< RST_STREAM(1, FRAME_SIZE_ERROR)\n${NEXT}`,
    "of 6 bytes, on an idle stream": failing("> FRAME(2, 0, 1, hex:00 00 00 00 00 00)", "FRAME_SIZE_ERROR"),
  },
};

const RST_STREAM: ScriptTable = {
  section: "RFC 9113 §6.4: a RST_STREAM",
  cases: {
    "on stream 0": failing("> RST_STREAM(0, CANCEL)", "PROTOCOL_ERROR"),
    "on an idle stream": failing(`${WAITING}\n> RST_STREAM(3, CANCEL)`, "PROTOCOL_ERROR", 1),
    "of 3 bytes": failing(`${WAITING}\n> FRAME(3, 0, 1, hex:00 00 00)`, "FRAME_SIZE_ERROR", 1),
    "of 5 bytes": failing(`${WAITING}\n> FRAME(3, 0, 1, hex:00 00 00 00 08)`, "FRAME_SIZE_ERROR", 1),
  },
};

const SETTINGS: ScriptTable = {
  section: "RFC 9113 §6.5: SETTINGS",
  cases: {
    "are acknowledged, each": "> SETTINGS(HEADER_TABLE_SIZE=0)\n> SETTINGS(MAX_FRAME_SIZE=16777215)\n< SETTINGS(ACK)\n< SETTINGS(ACK)",
    "that change the table's size are followed by an update in the next block (RFC 7541 §4.2)": `
      > SETTINGS(HEADER_TABLE_SIZE=0)
      > HEADERS(1, END_STREAM|END_HEADERS, GET)
      < SETTINGS(ACK)
      < HEADERS(1, END_HEADERS, [table 0][:status 200])
      < DATA(1, END_STREAM, "ok")
      > SETTINGS(HEADER_TABLE_SIZE=100)
      > SETTINGS(HEADER_TABLE_SIZE=4096)
      > HEADERS(3, END_STREAM|END_HEADERS, GET)
      < SETTINGS(ACK)
      < SETTINGS(ACK)
      < HEADERS(3, END_HEADERS, [table 4096][:status 200])
      < DATA(3, END_STREAM, "ok")`,
    "that change it several times at once are followed by the lowest and the last": `
      > SETTINGS(HEADER_TABLE_SIZE=100, HEADER_TABLE_SIZE=0, HEADER_TABLE_SIZE=4096)
      < SETTINGS(ACK)
      > HEADERS(1, END_STREAM|END_HEADERS, GET)
      < HEADERS(1, END_HEADERS, [table 0][table 4096][:status 200])
      < DATA(1, END_STREAM, "ok")`,
    "that nobody knows are ignored": "> SETTINGS(0=1, 7=7, 65535=4294967295)\n< SETTINGS(ACK)",
    "with all values at their bounds": `
      > SETTINGS(HEADER_TABLE_SIZE=4294967295, ENABLE_PUSH=0, MAX_CONCURRENT_STREAMS=0, MAX_FRAME_SIZE=16384, MAX_HEADER_LIST_SIZE=0)
      > SETTINGS(INITIAL_WINDOW_SIZE=2147483647, ENABLE_PUSH=1, MAX_FRAME_SIZE=16777215)
      < SETTINGS(ACK)
      < SETTINGS(ACK)
      ${NEXT}`,
    "on a stream": failing("> FRAME(4, 0, 1)", "PROTOCOL_ERROR"),
    "that acknowledge, on a stream": failing("> FRAME(4, 1, 1)", "PROTOCOL_ERROR"),
    "that acknowledge something": failing("> SETTINGS(ACK, ENABLE_PUSH=0)", "FRAME_SIZE_ERROR"),
    "of 5 bytes": failing("> FRAME(4, 0, 0, hex:00 02 00 00 00)", "FRAME_SIZE_ERROR"),
    "of 7 bytes": failing("> FRAME(4, 0, 0, hex:00 02 00 00 00 00 00)", "FRAME_SIZE_ERROR"),
    "that enable push with 2": failing("> SETTINGS(ENABLE_PUSH=2)", "PROTOCOL_ERROR"),
    "with an initial window above 2^31-1": failing("> SETTINGS(INITIAL_WINDOW_SIZE=2147483648)", "FLOW_CONTROL_ERROR"),
    "with a largest frame below 2^14": failing("> SETTINGS(MAX_FRAME_SIZE=16383)", "PROTOCOL_ERROR"),
    "with a largest frame above 2^24-1": failing("> SETTINGS(MAX_FRAME_SIZE=16777216)", "PROTOCOL_ERROR"),
    "with CONNECT's protocols enabled by 2 (RFC 8441 §3)": failing("> SETTINGS(ENABLE_CONNECT_PROTOCOL=2)", "PROTOCOL_ERROR"),
  },
};

const PUSH_PROMISE: ScriptTable = {
  section: "RFC 9113 §6.6, §8.4: a PUSH_PROMISE",
  cases: {
    "of a client": failing(`${WAITING}\n> FRAME(5, 4, 1, hex:00 00 00 02 82 86 84)`, "PROTOCOL_ERROR", 1),
    "on stream 0": failing("> FRAME(5, 4, 0, hex:00 00 00 02 82 86 84)", "PROTOCOL_ERROR"),
  },
};

const PING: ScriptTable = {
  section: "RFC 9113 §6.7: a PING",
  cases: {
    "is answered with its payload": `> PING("12345678")\n> PING("abcdefgh")\n< PING(ACK, "12345678")\n< PING(ACK, "abcdefgh")`,
    "that acknowledges is not": `> PING(ACK, "12345678")\n${NEXT}`,
    "on a stream": failing(`> FRAME(6, 0, 1, "12345678")`, "PROTOCOL_ERROR"),
    "of 7 bytes": failing(`> PING("1234567")`, "FRAME_SIZE_ERROR"),
    "of 9 bytes": failing(`> PING("123456789")`, "FRAME_SIZE_ERROR"),
    "of no bytes, that acknowledges": failing("> FRAME(6, 1, 0)", "FRAME_SIZE_ERROR"),
  },
};

const GOAWAY: ScriptTable = {
  section: "RFC 9113 §6.8: a GOAWAY",
  cases: {
    "leaves streams as they are": `${OPEN}\n> GOAWAY(0, NO_ERROR, "bye")\n> DATA(1, END_STREAM, "x")\n${answered(1)}`,
    "on a stream": failing("> FRAME(7, 0, 1, hex:00 00 00 00 00 00 00 00)", "PROTOCOL_ERROR"),
    "of 7 bytes": failing("> FRAME(7, 0, 0, hex:00 00 00 00 00 00 00)", "FRAME_SIZE_ERROR"),
  },
};

const CONTINUATION: ScriptTable = {
  section: "RFC 9113 §6.10: a CONTINUATION",
  cases: {
    "on stream 0": failing("> CONTINUATION(0, END_HEADERS, GET)", "PROTOCOL_ERROR"),
    "behind a whole block": failing(`${WAITING}\n> CONTINUATION(1, END_HEADERS, [x 1])`, "PROTOCOL_ERROR", 1),
    "behind DATA": failing(`${OPEN}\n> DATA(1, 0, "x")\n> CONTINUATION(1, END_HEADERS, [x 1])`, "PROTOCOL_ERROR", 1),
    "on stream 0, in a block": failing("> HEADERS(1, END_STREAM, GET)\n> CONTINUATION(0, END_HEADERS)", "PROTOCOL_ERROR"),
    "of trailers": `${OPEN}\n> DATA(1, 0, "x")\n> HEADERS(1, END_STREAM, [x-t 1])\n> CONTINUATION(1, END_HEADERS, [x-u 2])\n${answered(1)}`,
    "that ends the stream, which it can't": `> HEADERS(1, 0, POST)\n> FRAME(9, 5, 1)\n> DATA(1, END_STREAM, "x")\n${answered(1)}\n= POST / x`,
  },
};

export const DEFINITION_TABLES: readonly ScriptTable[] = [
  DATA,
  HEADERS,
  PRIORITY,
  RST_STREAM,
  SETTINGS,
  PUSH_PROMISE,
  PING,
  GOAWAY,
  CONTINUATION,
];
