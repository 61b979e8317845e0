// HTTP/2 frames as text and back, for cases that can be read (RFC 9113 §4, §6):
//
//   HEADERS(1, END_STREAM|END_HEADERS, GET /p [x-a 1])  GET and POST stand for a whole request's fields; without a path /
//   HEADERS(1, END_HEADERS, [:method GET], pad=3, depends=5)
//   CONTINUATION(1, END_HEADERS, hex:82 86)             a block, or a part of one, byte by byte
//   DATA(1, END_STREAM, "text", pad=3)   DATA(1, 0, 5000 bytes)
//   SETTINGS(INITIAL_WINDOW_SIZE=0)      SETTINGS(ACK)
//   RST_STREAM(1, CANCEL)   GOAWAY(0, NO_ERROR, "why")   PING("12345678")   PING(ACK, "12345678")
//   WINDOW_UPDATE(0, 100)   PRIORITY(1, depends=3)   FRAME(type, flags, stream, hex:00 01)   RAW(hex:00)   PREFACE
//
// Words of numbers may be numbers. Fields are literals that go into no table.

const TYPES = [
  "DATA",
  "HEADERS",
  "PRIORITY",
  "RST_STREAM",
  "SETTINGS",
  "PUSH_PROMISE",
  "PING",
  "GOAWAY",
  "WINDOW_UPDATE",
  "CONTINUATION",
] as const;
export type FrameName = (typeof TYPES)[number];

/** Name of a frame type; undefined for those that RFC 9113 does not know. */
export function frameName(type: number): FrameName | undefined {
  return TYPES[type];
}

export const FLAGS = { END_STREAM: 1, END_HEADERS: 4, PADDED: 8, PRIORITY: 32 } as const;
const ACK = 1;

export const ERRORS: readonly string[] = [
  "NO_ERROR",
  "PROTOCOL_ERROR",
  "INTERNAL_ERROR",
  "FLOW_CONTROL_ERROR",
  "SETTINGS_TIMEOUT",
  "STREAM_CLOSED",
  "FRAME_SIZE_ERROR",
  "REFUSED_STREAM",
  "CANCEL",
  "COMPRESSION_ERROR",
  "CONNECT_ERROR",
  "ENHANCE_YOUR_CALM",
  "INADEQUATE_SECURITY",
  "HTTP_1_1_REQUIRED",
];

export const SETTINGS: Readonly<Record<number, string>> = {
  1: "HEADER_TABLE_SIZE",
  2: "ENABLE_PUSH",
  3: "MAX_CONCURRENT_STREAMS",
  4: "INITIAL_WINDOW_SIZE",
  5: "MAX_FRAME_SIZE",
  6: "MAX_HEADER_LIST_SIZE",
  8: "ENABLE_CONNECT_PROTOCOL",
};

export const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "latin1");

export function frame(type: number, flags: number, streamId: number, payload: Uint8Array): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, payload]);
}

export function uint32(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, index) => bytes.writeUInt32BE(value >>> 0, 4 * index));
  return bytes;
}

/** RFC 7541 §6.2.2, §5.2: a literal that is not indexed, without Huffman code. */
export function literal(name: string, value: string): Buffer {
  return Buffer.concat([Buffer.of(0), string(name), string(value)]);
}

function string(text: string): Buffer {
  const length: number[] = [Math.min(text.length, 127)];
  if (text.length >= 127) {
    let rest = text.length - 127;
    for (; rest >= 128; rest >>>= 7) length.push((rest & 127) | 128);
    length.push(rest);
  }
  return Buffer.concat([Buffer.from(length), Buffer.from(text, "latin1")]);
}

/** `GET [x-a 1][x-b 2]` → a header block. */
export function block(text: string): Buffer {
  const hex = /^hex:([0-9a-f ]*)$/.exec(text);
  if (hex !== null) return Buffer.from(hex[1]!.replaceAll(" ", ""), "hex");
  const whole = text.replace(
    /^(GET|POST)(?: (\/[^ ]*))?/,
    (_, method: string, path = "/") => `[:method ${method}][:scheme http][:path ${path}][:authority a]`,
  );
  const fields = [...whole.matchAll(/\[([^\]]*)\]/g)];
  if (whole.replaceAll(/\[[^\]]*\]| /g, "") !== "") throw new Error(`not a list of fields: ${text}`);
  return Buffer.concat(
    fields.map(([, field]) => {
      const blank = field!.indexOf(" ");
      return blank < 0 ? literal(field!, "") : literal(field!.slice(0, blank), field!.slice(blank + 1));
    }),
  );
}

/** The bytes of one frame. */
export function toBytes(text: string): Buffer {
  if (text === "PREFACE") return PREFACE;
  const parts = /^([A-Z_]+)\(([^]*)\)$/.exec(text);
  if (parts === null) throw new Error(`not a frame: ${text}`);
  const [, name] = parts;
  const given = split(parts[2]!);
  const options = new Map<string, string>();
  const args = given.filter((each) => {
    const option = /^(pad|depends|weight)=(\d+)$/.exec(each);
    if (option !== null) options.set(option[1]!, option[2]!);
    return option === null;
  });
  switch (name) {
    case "RAW":
      return content(args[0]!);
    case "FRAME":
      return frame(Number(args[0]), Number(args[1]), Number(args[2]), content(args[3] ?? "hex:"));
    case "SETTINGS":
      return frame(4, args[0] === "ACK" ? ACK : 0, 0, settings(args));
    case "PING":
      return frame(6, args[0] === "ACK" ? ACK : 0, 0, content(args.at(-1)!));
    case "GOAWAY":
      return frame(7, 0, 0, Buffer.concat([uint32(Number(args[0]), errorCode(args[1]!)), content(args[2] ?? "hex:")]));
    case "RST_STREAM":
      return frame(3, 0, Number(args[0]), uint32(errorCode(args[1]!)));
    case "WINDOW_UPDATE":
      return frame(8, 0, Number(args[0]), uint32(Number(args[1])));
    case "PRIORITY":
      return frame(2, 0, Number(args[0]), priority(options));
    case "DATA":
    case "HEADERS":
    case "CONTINUATION": {
      const type = TYPES.indexOf(name);
      const flags = flagBits(args[1] ?? "0") | (options.has("pad") ? FLAGS.PADDED : 0) | (options.has("depends") ? FLAGS.PRIORITY : 0);
      const body = name === "DATA" ? content(args[2] ?? "hex:") : block(args[2] ?? "hex:");
      const padding = options.has("pad") ? Number(options.get("pad")) : undefined;
      const payload = [
        padding === undefined ? Buffer.alloc(0) : Buffer.of(padding),
        options.has("depends") ? priority(options) : Buffer.alloc(0),
        body,
        Buffer.alloc(padding ?? 0),
      ];
      return frame(type, flags, Number(args[0]), Buffer.concat(payload));
    }
    default:
      throw new Error(`unknown frame ${name}`);
  }
}

function settings(args: readonly string[]): Buffer {
  return Buffer.concat(
    args
      .filter((each) => each.includes("="))
      .map((each) => {
        const [name, value] = each.split("=") as [string, string];
        const known = Object.entries(SETTINGS).find(([, text]) => text === name);
        const bytes = Buffer.alloc(6);
        bytes.writeUInt16BE(Number(known?.[0] ?? name));
        bytes.writeUInt32BE(Number(value), 2);
        return bytes;
      }),
  );
}

function priority(options: ReadonlyMap<string, string>): Buffer {
  return Buffer.concat([uint32(Number(options.get("depends") ?? 0)), Buffer.of(Number(options.get("weight") ?? 15))]);
}

function flagBits(text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  return text.split("|").reduce((bits, name) => {
    if (!(name in FLAGS)) throw new Error(`unknown flag ${name}`);
    return bits | FLAGS[name as keyof typeof FLAGS];
  }, 0);
}

function errorCode(text: string): number {
  const index = ERRORS.indexOf(text);
  if (index < 0 && !/^\d+$/.test(text)) throw new Error(`unknown error ${text}`);
  return index < 0 ? Number(text) : index;
}

/** `"text"`, `hex:00 01` or `5 bytes`. */
function content(text: string): Buffer {
  const quoted = /^"([^]*)"$/.exec(text);
  if (quoted !== null) return Buffer.from(quoted[1]!, "latin1");
  const count = /^(\d+) bytes$/.exec(text);
  if (count !== null) return Buffer.alloc(Number(count[1]), "x");
  if (!text.startsWith("hex:")) throw new Error(`not content: ${text}`);
  return block(text);
}

/** Splits at commas outside brackets and quotes. */
function split(text: string): string[] {
  const args = text.match(/(?:"[^"]*"|\[[^\]]*\]|[^,])+/g) ?? [];
  return args.map((each) => each.trim());
}
