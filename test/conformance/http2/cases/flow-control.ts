// RFC 9113 §5.2, §6.9: windows.
import { answered, failing, type ScriptTable } from "../script-table.ts";

const WAITING = "> HEADERS(1, END_STREAM|END_HEADERS, GET /wait)";
const NEXT = `> HEADERS(3, END_STREAM|END_HEADERS, GET)\n${answered(3)}`;

const FRAMES: ScriptTable = {
  section: "RFC 9113 §6.9: a WINDOW_UPDATE",
  cases: {
    "of 3 bytes": failing("> FRAME(8, 0, 0, hex:00 00 01)", "FRAME_SIZE_ERROR"),
    "of 5 bytes, on a stream": failing(`${WAITING}\n> FRAME(8, 0, 1, hex:00 00 00 00 01)`, "FRAME_SIZE_ERROR", 1),
    "of nothing, for the connection": failing("> WINDOW_UPDATE(0, 0)", "PROTOCOL_ERROR"),
    "of nothing, for a stream": `${WAITING}\n> WINDOW_UPDATE(1, 0)\n< RST_STREAM(1, PROTOCOL_ERROR)\n${NEXT}`,
    "of nothing but the reserved bit": failing("> WINDOW_UPDATE(0, 2147483648)", "PROTOCOL_ERROR"),
    "with the reserved bit": `> SETTINGS(INITIAL_WINDOW_SIZE=0)\n< SETTINGS(ACK)\n> HEADERS(1, END_STREAM|END_HEADERS, GET)\n< HEADERS(1, END_HEADERS, [:status 200])\n> WINDOW_UPDATE(1, 2147483650)\n< DATA(1, END_STREAM, "ok")`,
  },
};

const LIMITS: ScriptTable = {
  section: "RFC 9113 §6.9.1: a window",
  cases: {
    "of the connection, full to its limit": `> WINDOW_UPDATE(0, 2147418112)\n${NEXT}`,
    "of the connection, beyond its limit": failing("> WINDOW_UPDATE(0, 2147418112)\n> WINDOW_UPDATE(0, 1)", "FLOW_CONTROL_ERROR"),
    "of a stream, full to its limit": `${WAITING}\n> WINDOW_UPDATE(1, 2147418112)\n${NEXT}`,
    "of a stream, beyond its limit": `${WAITING}\n> WINDOW_UPDATE(1, 2147418112)\n> WINDOW_UPDATE(1, 1)\n< RST_STREAM(1, FLOW_CONTROL_ERROR)\n${NEXT}`,
    "of the connection holds back DATA, and no HEADERS": `
      > HEADERS(1, END_STREAM|END_HEADERS, GET /big)
      < HEADERS(1, END_HEADERS, [:status 200])
      < DATA(1, 0, 65535 bytes)
      > HEADERS(3, END_STREAM|END_HEADERS, GET)
      < HEADERS(3, END_HEADERS, [:status 200])
      > WINDOW_UPDATE(0, 10)
      > WINDOW_UPDATE(3, 10)
      < DATA(3, END_STREAM, "ok")`,
    "of a stream holds back its DATA, and no other's": `
      > WINDOW_UPDATE(0, 1000000)
      > HEADERS(1, END_STREAM|END_HEADERS, GET /big)
      < HEADERS(1, END_HEADERS, [:status 200])
      < DATA(1, 0, 65535 bytes)
      ${NEXT}
      > WINDOW_UPDATE(1, 34465)
      < DATA(1, END_STREAM, 34465 bytes)`,
    "that is exactly as large as the rest": `
      > WINDOW_UPDATE(0, 34465)
      > HEADERS(1, END_STREAM|END_HEADERS, GET /big)
      < HEADERS(1, END_HEADERS, [:status 200])
      < DATA(1, 0, 65535 bytes)
      > WINDOW_UPDATE(1, 34465)
      < DATA(1, END_STREAM, 34465 bytes)`,
    "is not needed to end a stream": `
      > SETTINGS(INITIAL_WINDOW_SIZE=2)
      < SETTINGS(ACK)
      > HEADERS(1, END_STREAM|END_HEADERS, GET)
      ${answered(1)}`,
  },
};

const INITIAL: ScriptTable = {
  section: "RFC 9113 §6.9.2: an initial window",
  cases: {
    "of 0 holds back all DATA": `
      > SETTINGS(INITIAL_WINDOW_SIZE=0)
      < SETTINGS(ACK)
      > HEADERS(1, END_STREAM|END_HEADERS, GET)
      < HEADERS(1, END_HEADERS, [:status 200])
      > WINDOW_UPDATE(1, 1)
      < DATA(1, 0, "o")
      > WINDOW_UPDATE(1, 1)
      < DATA(1, END_STREAM, "k")`,
    "that grows lets open streams go on": `
      > SETTINGS(INITIAL_WINDOW_SIZE=0)
      < SETTINGS(ACK)
      > HEADERS(1, END_STREAM|END_HEADERS, GET)
      < HEADERS(1, END_HEADERS, [:status 200])
      > SETTINGS(INITIAL_WINDOW_SIZE=1)
      < SETTINGS(ACK)
      < DATA(1, 0, "o")
      > SETTINGS(INITIAL_WINDOW_SIZE=2)
      < SETTINGS(ACK)
      < DATA(1, END_STREAM, "k")`,
    "that shrinks leaves windows below zero": `
      > SETTINGS(INITIAL_WINDOW_SIZE=1000)
      < SETTINGS(ACK)
      > HEADERS(1, END_STREAM|END_HEADERS, GET /big)
      < HEADERS(1, END_HEADERS, [:status 200])
      < DATA(1, 0, 1000 bytes)
      > SETTINGS(INITIAL_WINDOW_SIZE=100)
      < SETTINGS(ACK)
      > WINDOW_UPDATE(1, 900)
      > PING("12345678")
      < PING(ACK, "12345678")
      > WINDOW_UPDATE(1, 100)
      < DATA(1, 0, 100 bytes)`,
    "of which only the last value in a frame counts": `
      > SETTINGS(INITIAL_WINDOW_SIZE=0, INITIAL_WINDOW_SIZE=1)
      < SETTINGS(ACK)
      > HEADERS(1, END_STREAM|END_HEADERS, GET)
      < HEADERS(1, END_HEADERS, [:status 200])
      < DATA(1, 0, "o")`,
    "does not touch the connection's window": `
      > SETTINGS(INITIAL_WINDOW_SIZE=1000000)
      < SETTINGS(ACK)
      > HEADERS(1, END_STREAM|END_HEADERS, GET /big)
      < HEADERS(1, END_HEADERS, [:status 200])
      < DATA(1, 0, 65535 bytes)`,
    "that takes a stream's window beyond its limit": failing(
      `> HEADERS(1, END_STREAM|END_HEADERS, GET /wait)
      > WINDOW_UPDATE(1, 2147418112)
      > SETTINGS(INITIAL_WINDOW_SIZE=65536)`,
      "FLOW_CONTROL_ERROR",
      1,
    ),
  },
};

export const FLOW_TABLES: readonly ScriptTable[] = [FRAMES, LIMITS, INITIAL];
