// RFC 9113 §3.4 to §4.3: the preface, the frame format, frame sizes, header blocks.
import { answered, failing, type ScriptTable } from "../script-table.ts";

const GET = `> HEADERS(1, END_STREAM|END_HEADERS, GET)\n${answered(1)}`;
const OWN = "< SETTINGS(MAX_CONCURRENT_STREAMS=100, MAX_HEADER_LIST_SIZE=61440)\n< WINDOW_UPDATE(0, 2031617)";

const PREFACE: ScriptTable = {
  section: "RFC 9113 §3.4: the preface",
  options: { opening: "none", config: { maxConcurrentStreams: 100 } },
  cases: {
    "is followed by our SETTINGS and the acknowledgement of the client's": `> PREFACE\n> SETTINGS()\n${OWN}\n< SETTINGS(ACK)`,
    "without an end is waited for": `> RAW("PRI * HTTP/2.0")\n${OWN}\n> RAW("\\r\\n\\r\\nSM\\r\\n\\r\\n")\n> SETTINGS()\n< SETTINGS(ACK)`,
    "that goes wrong is refused": `> RAW("PRI * HTTP/2.0\\r\\n\\r\\nXX\\r\\n\\r\\n")\n${OWN}\n< GOAWAY(0, PROTOCOL_ERROR)\n< closed`,
    "of another version is refused": `> RAW("PRI * HTTP/3.0\\r\\n\\r\\nSM\\r\\n\\r\\n")\n${OWN}\n< GOAWAY(0, PROTOCOL_ERROR)\n< closed`,
  },
};

const FIRST_FRAME: ScriptTable = {
  section: "RFC 9113 §3.4: a first frame",
  options: { opening: "preface" },
  cases: {
    "that is HEADERS": failing("> HEADERS(1, END_STREAM|END_HEADERS, GET)", "PROTOCOL_ERROR"),
    "that is DATA": failing(`> DATA(1, 0, "x")`, "PROTOCOL_ERROR"),
    "that is a PING": failing(`> PING("12345678")`, "PROTOCOL_ERROR"),
    "that is an acknowledgement": failing("> SETTINGS(ACK)", "PROTOCOL_ERROR"),
    "that is a WINDOW_UPDATE": failing("> WINDOW_UPDATE(0, 1)", "PROTOCOL_ERROR"),
    "of an unknown type": failing("> FRAME(200, 0, 0)", "PROTOCOL_ERROR"),
  },
};

const FORMAT: ScriptTable = {
  section: "RFC 9113 §4.1: a frame",
  cases: {
    "of an unknown type is ignored": `> FRAME(10, 0, 0, hex:00 01)\n> FRAME(200, 255, 7, hex:00)\n${GET}`,
    "of an unknown type and no payload is ignored": `> FRAME(200, 0, 1)\n${GET}`,
    "of an unknown type and full size is ignored": `> FRAME(200, 0, 0, 16384 bytes)\n${GET}`,
    "of an unknown type on an open stream is ignored": `> HEADERS(1, END_HEADERS, POST)\n> FRAME(200, 1, 1)\n> DATA(1, END_STREAM, "x")\n${answered(1)}`,
    "with flags that nobody knows is read without them": `> FRAME(6, 254, 0, "12345678")\n< PING(ACK, "12345678")\n> HEADERS(1, END_HEADERS, POST)\n> FRAME(0, 215, 1, "x")\n${answered(1)}`,
    "with the reserved bit is read without it": `> FRAME(6, 0, 2147483648, "12345678")\n< PING(ACK, "12345678")\n> FRAME(1, 5, 2147483649, hex:82 86 84 41 01 61)\n${answered(1)}`,
  },
};

const SIZE: ScriptTable = {
  section: "RFC 9113 §4.2: a frame",
  cases: {
    "of 16,384 bytes is taken": `> HEADERS(1, END_HEADERS, POST)\n> DATA(1, END_STREAM, 16384 bytes)\n${answered(1)}`,
    "DATA of 16,385 bytes": failing("> HEADERS(1, END_HEADERS, POST)\n> DATA(1, END_STREAM, 16385 bytes)", "FRAME_SIZE_ERROR", 1),
    "HEADERS of 16,385 bytes": failing("> FRAME(1, 4, 1, 16385 bytes)", "FRAME_SIZE_ERROR"),
    "of an unknown type and 16,385 bytes": failing("> FRAME(200, 0, 1, 16385 bytes)", "FRAME_SIZE_ERROR"),
    "of the largest size there is": failing("> RAW(hex:ff ff ff 00 00 00 00 00 01)", "FRAME_SIZE_ERROR"),
  },
};

const INDEXED_GET = "hex:82 86 84 41 01 61";
/** `x: y`, put into the table, where the authority that follows makes it 63. */
const INSERT = "40 01 78 01 79";

const BLOCKS: ScriptTable = {
  section: "RFC 9113 §4.3: a header block",
  cases: {
    "that can't be decoded": failing("> HEADERS(1, END_STREAM|END_HEADERS, hex:ff ff ff ff ff ff)", "COMPRESSION_ERROR"),
    "that ends in the middle of a field": failing("> HEADERS(1, END_STREAM|END_HEADERS, hex:82 86 84 41)", "COMPRESSION_ERROR"),
    "with an index of nothing": failing("> HEADERS(1, END_STREAM|END_HEADERS, hex:82 86 84 be)", "COMPRESSION_ERROR"),
    "with a table size above the announced": failing("> HEADERS(1, END_STREAM|END_HEADERS, hex:3f e2 1f 82)", "COMPRESSION_ERROR"),
    "that can't be decoded, in trailers": failing(
      "> HEADERS(1, END_HEADERS, POST)\n> HEADERS(1, END_STREAM|END_HEADERS, hex:be)",
      "COMPRESSION_ERROR",
      1,
    ),
    "in three frames": `> HEADERS(1, END_STREAM, hex:82 86 84)\n> CONTINUATION(1, 0, hex:41)\n> CONTINUATION(1, END_HEADERS, hex:01 61)\n${answered(1)}`,
    "whose frames are empty": `> HEADERS(1, END_STREAM)\n> CONTINUATION(1, 0)\n> CONTINUATION(1, END_HEADERS, ${INDEXED_GET})\n${answered(1)}`,
    "whose last frame is empty": `> HEADERS(1, END_STREAM, ${INDEXED_GET})\n> CONTINUATION(1, END_HEADERS)\n${answered(1)}`,
    "of a stream that the peer had reset keeps the tables in step": `
      > HEADERS(1, END_HEADERS, POST /wait)
      > DATA(1, END_STREAM, "x")
      > HEADERS(1, END_STREAM|END_HEADERS, hex:${INSERT})
      < RST_STREAM(1, STREAM_CLOSED)
      > HEADERS(3, END_STREAM|END_HEADERS, ${INDEXED_GET} bf)
      ${answered(3)}`,
    "of a stream that we had reset keeps the tables in step": `
      > HEADERS(1, END_HEADERS, POST /early)
      ${answered(1)}
      < RST_STREAM(1, NO_ERROR)
      > HEADERS(1, END_STREAM|END_HEADERS, hex:${INSERT})
      > HEADERS(3, END_STREAM|END_HEADERS, ${INDEXED_GET} bf)
      ${answered(3)}`,
    "with another frame in it": failing(`> HEADERS(1, END_STREAM, ${INDEXED_GET})\n> PING("12345678")`, "PROTOCOL_ERROR"),
    "with DATA in it": failing(`> HEADERS(1, 0, ${INDEXED_GET})\n> DATA(1, END_STREAM, "x")`, "PROTOCOL_ERROR"),
    "with SETTINGS in it": failing(`> HEADERS(1, 0, ${INDEXED_GET})\n> SETTINGS()`, "PROTOCOL_ERROR"),
    "with a WINDOW_UPDATE in it": failing(`> HEADERS(1, 0, ${INDEXED_GET})\n> WINDOW_UPDATE(0, 1)`, "PROTOCOL_ERROR"),
    "with a RST_STREAM in it": failing(`> HEADERS(1, 0, ${INDEXED_GET})\n> RST_STREAM(1, CANCEL)`, "PROTOCOL_ERROR"),
    "with a PRIORITY in it": failing(`> HEADERS(1, 0, ${INDEXED_GET})\n> PRIORITY(1, depends=0)`, "PROTOCOL_ERROR"),
    "with a frame of an unknown type in it": failing(`> HEADERS(1, 0, ${INDEXED_GET})\n> FRAME(200, 0, 1)`, "PROTOCOL_ERROR"),
    "with the HEADERS of another stream in it": failing(
      `> HEADERS(1, END_STREAM, ${INDEXED_GET})\n> HEADERS(3, END_STREAM|END_HEADERS, GET)`,
      "PROTOCOL_ERROR",
    ),
    "with the CONTINUATION of another stream in it": failing(
      `> HEADERS(1, END_STREAM, ${INDEXED_GET})\n> CONTINUATION(3, END_HEADERS)`,
      "PROTOCOL_ERROR",
    ),
  },
};

export const FRAME_TABLES: readonly ScriptTable[] = [PREFACE, FIRST_FRAME, FORMAT, SIZE, BLOCKS];
