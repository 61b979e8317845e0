// RFC 9113 §3 to §6, from the client's end: what a server may do to a connection, and to its streams.
import type { ScriptTable } from "../script-table.ts";

const ASKED = "! GET /\n< HEADERS(1, END_STREAM|END_HEADERS, [:method GET][:path /])";
const UPLOADING = "! POST / …\n< HEADERS(1, END_HEADERS, [:method POST][:path /])";
const ANSWER = `> HEADERS(1, END_HEADERS, [:status 200])\n> DATA(1, END_STREAM, "ok")\n= 200 ok`;
const DONE = `${ASKED}\n${ANSWER}`;

/** The connection ends with an error of ours, and the request that waits fails. */
const failing = (frames: string, error: string, outcome = "502 UPE"): string =>
  `${frames}\n< GOAWAY(0, ${error})\n< closed${outcome === "" ? "" : `\n= ${outcome}`}`;

const PREFACE: ScriptTable = {
  section: "RFC 9113 §3.4: a client",
  options: { opening: "none" },
  cases: {
    "begins with the preface and its settings, and acknowledges the server's": `
      ${ASKED.replace("<", "< PREFACE\n< SETTINGS(ENABLE_PUSH=0, MAX_HEADER_LIST_SIZE=61440)\n< WINDOW_UPDATE(0, 2031617)\n<")}
      > SETTINGS()
      < SETTINGS(ACK)
      ${ANSWER}`,
    "takes no first frame but SETTINGS": `
      ${ASKED.replace("<", "< PREFACE\n< SETTINGS(ENABLE_PUSH=0, MAX_HEADER_LIST_SIZE=61440)\n< WINDOW_UPDATE(0, 2031617)\n<")}
      > HEADERS(1, END_STREAM|END_HEADERS, [:status 200])
      < GOAWAY(0, PROTOCOL_ERROR)
      < closed
      = 502 UPE`,
    "takes no other protocol": `
      ${ASKED.replace("<", "< PREFACE\n< SETTINGS(ENABLE_PUSH=0, MAX_HEADER_LIST_SIZE=61440)\n< WINDOW_UPDATE(0, 2031617)\n<")}
      > RAW("HTTP/1.1 400 Bad Request\\r\\ncontent-length: 0\\r\\n\\r\\n")
      < GOAWAY(0, FRAME_SIZE_ERROR)
      < closed
      = 502 UPE`,
  },
};

const STREAMS: ScriptTable = {
  section: "RFC 9113 §5.1, from the client's end",
  cases: {
    "DATA on an idle stream": failing(`${ASKED}\n> DATA(3, END_STREAM, "x")`, "PROTOCOL_ERROR"),
    "HEADERS on an idle stream": failing(`${ASKED}\n> HEADERS(3, END_STREAM|END_HEADERS, [:status 200])`, "PROTOCOL_ERROR"),
    "a RST_STREAM on an idle stream": failing(`${ASKED}\n> RST_STREAM(3, CANCEL)`, "PROTOCOL_ERROR"),
    "a WINDOW_UPDATE on an idle stream": failing(`${ASKED}\n> WINDOW_UPDATE(3, 1)`, "PROTOCOL_ERROR"),
    "a stream that the server opens": failing(`${ASKED}\n> HEADERS(2, END_STREAM|END_HEADERS, [:status 200])`, "PROTOCOL_ERROR"),
    "DATA on a stream that the server opens": failing(`${ASKED}\n> DATA(2, END_STREAM, "x")`, "PROTOCOL_ERROR"),
    "DATA on a stream that is over": `${DONE}\n> DATA(1, END_STREAM, "x")\n< RST_STREAM(1, STREAM_CLOSED)`,
    "HEADERS on a stream that is over": failing(`${DONE}\n> HEADERS(1, END_STREAM|END_HEADERS, [:status 200])`, "STREAM_CLOSED", ""),
    "a WINDOW_UPDATE and a RST_STREAM on a stream that is over": `${DONE}\n> WINDOW_UPDATE(1, 1)\n> RST_STREAM(1, NO_ERROR)`,
    "a RST_STREAM before the response": `${ASKED}\n> RST_STREAM(1, INTERNAL_ERROR)\n= 503 UR`,
    "a RST_STREAM in the response": `${ASKED}\n> HEADERS(1, END_HEADERS, [:status 200][content-length 9])\n> DATA(1, 0, "half")\n> RST_STREAM(1, INTERNAL_ERROR)\n= cut`,
  },
};

const GIVEN_UP: ScriptTable = {
  section: "RFC 9113 §5.1: a stream that the client has given up",
  options: { isCodecOnly: true },
  cases: {
    "is reset, and what comes on it is dropped": `
      ${ASKED}
      ! reset
      < RST_STREAM(1, CANCEL)
      > WINDOW_UPDATE(1, 1)
      > HEADERS(1, END_HEADERS, [:status 200])
      > DATA(1, 0, "late")
      > HEADERS(1, END_STREAM|END_HEADERS, [x-t 1])
      > RST_STREAM(1, NO_ERROR)
      ! GET /
      < HEADERS(3, END_STREAM|END_HEADERS, [:method GET][:path /])
      > HEADERS(3, END_STREAM|END_HEADERS, [:status 204])
      = 204`,
    "keeps the tables in step": `
      ${ASKED}
      ! reset
      < RST_STREAM(1, CANCEL)
      > HEADERS(1, END_STREAM|END_HEADERS, hex:88 40 01 78 01 79)
      ! GET /
      < HEADERS(3, END_STREAM|END_HEADERS, [:method GET][:path /])
      > HEADERS(3, END_HEADERS, hex:88 be)
      > HEADERS(3, END_STREAM|END_HEADERS, hex:be)
      = 200 |x,y`,
  },
};

const FRAMES: ScriptTable = {
  section: "RFC 9113 §6, from the client's end",
  cases: {
    "a PUSH_PROMISE": failing(`${ASKED}\n> FRAME(5, 4, 1, hex:00 00 00 02 82 86 84)`, "PROTOCOL_ERROR"),
    "SETTINGS that enable push": failing(`${ASKED}\n> SETTINGS(ENABLE_PUSH=1)`, "PROTOCOL_ERROR"),
    "SETTINGS that don't enable push": `${ASKED}\n> SETTINGS(ENABLE_PUSH=0)\n< SETTINGS(ACK)\n${ANSWER}`,
    "a header block that can't be decoded": failing(`${ASKED}\n> HEADERS(1, END_STREAM|END_HEADERS, hex:be)`, "COMPRESSION_ERROR"),
    "a PING": `${ASKED}\n> PING("12345678")\n< PING(ACK, "12345678")\n${ANSWER}`,
    "a frame of 16,385 bytes": failing(`${ASKED}\n> FRAME(0, 0, 1, 16385 bytes)`, "FRAME_SIZE_ERROR"),
    "padding and priority": `${ASKED}\n> HEADERS(1, END_HEADERS, [:status 200], pad=9, depends=0)\n> PRIORITY(1, depends=0)\n> DATA(1, END_STREAM, "ok", pad=9)\n= 200 ok`,
    "a CONTINUATION": `${ASKED}\n> HEADERS(1, 0, [:status 200])\n> CONTINUATION(1, 0, [x-a 1])\n> CONTINUATION(1, END_HEADERS)\n> DATA(1, END_STREAM, "ok")\n= 200 ok`,
    "an unknown frame": `${ASKED}\n> FRAME(12, 0, 0, "h2=:443")\n${ANSWER}`,
  },
};

const GOAWAY: ScriptTable = {
  section: "RFC 9113 §6.8: a GOAWAY of the server's",
  cases: {
    "lets streams up to its last end, and the connection after them": `${ASKED}\n> GOAWAY(1, NO_ERROR)\n${ANSWER}\n< GOAWAY(0, NO_ERROR)\n< closed`,
    "that names streams to come, and then the last": `${ASKED}\n> GOAWAY(2147483647, NO_ERROR)\n> GOAWAY(1, NO_ERROR)\n${ANSWER}\n< GOAWAY(0, NO_ERROR)\n< closed`,
    "on an idle connection ends it": `${DONE}\n> GOAWAY(1, NO_ERROR)\n< GOAWAY(0, NO_ERROR)\n< closed`,
    "with an error lets streams up to its last end": `${ASKED}\n> GOAWAY(1, ENHANCE_YOUR_CALM, "calm")\n${ANSWER}\n< GOAWAY(0, NO_ERROR)\n< closed`,
  },
};

const REFUSING: ScriptTable = {
  section: "RFC 9113 §6.8, §8.7: a request that was not looked at",
  options: { isCodecOnly: true },
  cases: {
    "is one above the last of a GOAWAY": `
      ${ASKED}
      ! GET /second
      < HEADERS(3, END_STREAM|END_HEADERS, [:method GET][:path /second])
      > GOAWAY(1, NO_ERROR)
      = 503 UR
      > HEADERS(1, END_HEADERS, [:status 200])
      > DATA(1, END_STREAM, "ok")
      = 200 ok
      < GOAWAY(0, NO_ERROR)
      < closed`,
    "is every one of a GOAWAY that names none": `${ASKED}\n> GOAWAY(0, NO_ERROR)\n= 503 UR\n< GOAWAY(0, NO_ERROR)\n< closed`,
    "is one that was refused": `${ASKED}\n> RST_STREAM(1, REFUSED_STREAM)\n= 503 UR`,
  },
};

const WINDOWS: ScriptTable = {
  section: "RFC 9113 §6.9, from the client's end",
  cases: {
    "the connection's window is everybody's": `
      ! POST / 65535
      < HEADERS(1, END_HEADERS, [:method POST][:path /])
      < DATA(1, END_STREAM, 65535 bytes)
      ! POST / 5
      < HEADERS(3, END_HEADERS, [:method POST][:path /])
      > WINDOW_UPDATE(0, 5)
      < DATA(3, END_STREAM, "xxxxx")
      > HEADERS(3, END_STREAM|END_HEADERS, [:status 204])
      = 204`,
    "a window of the stream's beyond its limit": `${UPLOADING}\n> WINDOW_UPDATE(1, 2147483647)\n< RST_STREAM(1, FLOW_CONTROL_ERROR)\n= 502 UPE`,
    "a window of the connection's beyond its limit": failing(`${ASKED}\n> WINDOW_UPDATE(0, 2147483647)`, "FLOW_CONTROL_ERROR"),
    "what is received is given back": `
      ${ASKED}
      > HEADERS(1, END_HEADERS, [:status 200][content-length 40000])
      > DATA(1, 0, 16384 bytes)
      > DATA(1, 0, 16384 bytes)
      < WINDOW_UPDATE(1, 98303)
      > DATA(1, END_STREAM, 7232 bytes)
      = 200 40000 bytes`,
  },
};

const SETTINGS_FIRST: ScriptTable = {
  section: "RFC 9113 §6.9.2, from the client's end",
  options: { isCodecOnly: true },
  cases: {
    "a request's body keeps to the server's windows": `
      > SETTINGS(INITIAL_WINDOW_SIZE=10)
      < SETTINGS(ACK)
      ! POST / 25
      < HEADERS(1, END_HEADERS, [:method POST][:path /])
      < DATA(1, 0, "xxxxxxxxxx")
      > WINDOW_UPDATE(1, 5)
      < DATA(1, 0, "xxxxx")
      > SETTINGS(INITIAL_WINDOW_SIZE=11)
      < SETTINGS(ACK)
      < DATA(1, 0, "x")
      > WINDOW_UPDATE(1, 100)
      < DATA(1, END_STREAM, "xxxxxxxxx")
      ${ANSWER}`,
  },
};

export const CLIENT_CONNECTION_TABLES: readonly ScriptTable[] = [PREFACE, STREAMS, GIVEN_UP, FRAMES, GOAWAY, REFUSING, WINDOWS, SETTINGS_FIRST];
