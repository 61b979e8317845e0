// Header blocks between us and nghttp2, as node:http2 has it: raw frames on a socket, so that HPACK alone is compared.
import {
  connect as connectHttp2,
  createServer,
  type Http2Server,
  type OutgoingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import { connect, createServer as createTcpServer, type AddressInfo, type Socket } from "node:net";
import { once } from "node:events";

const HEADERS = 1;
const SETTINGS = 4;
const PING = 6;
const GOAWAY = 7;
const ACK = 1;
const END_STREAM_AND_HEADERS = 5;
const HEADER_TABLE_SIZE = 1;
const COMPRESSION_ERROR = 9;
const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

function frame(type: number, flags: number, streamId: number, payload: Uint8Array = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(streamId, 5);
  return Buffer.concat([head, payload]);
}

interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly streamId: number;
  readonly payload: Buffer;
}

function onFrames(socket: Socket, skip: number, onFrame: (frame: Frame) => void): void {
  let bytes = Buffer.alloc(0);
  let left = skip;
  socket.on("data", (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]);
    const skipped = Math.min(left, bytes.length);
    left -= skipped;
    bytes = bytes.subarray(skipped);
    while (bytes.length >= 9 && bytes.length >= 9 + bytes.readUIntBE(0, 3)) {
      const end = 9 + bytes.readUIntBE(0, 3);
      onFrame({ type: bytes[3]!, flags: bytes[4]!, streamId: bytes.readUInt32BE(5), payload: bytes.subarray(9, end) });
      bytes = bytes.subarray(end);
    }
  });
}

/** A node:http2 server that tells what it makes of header blocks. */
export class Nghttp2Reader {
  readonly #server: Http2Server;
  #session: ServerHttp2Session | undefined;
  #socket: Socket | undefined;
  #fields: string[][] = [];
  #streamId = 1;
  /** The server announced another table size. */
  onTableBytes: (bytes: number) => void = () => undefined;
  #onDone: (error: number) => void = () => undefined;

  private constructor() {
    this.#server = createServer();
    this.#server.on("session", (session) => (this.#session = session));
    this.#server.on("sessionError", () => undefined);
    this.#server.on("stream", (stream: ServerHttp2Stream, _headers, _flags, raw: unknown) => {
      stream.on("error", () => undefined);
      const flat = raw as string[];
      this.#fields.push(flat.flatMap((name, index) => (index % 2 === 0 ? [`${name}: ${flat[index + 1]}`] : [])));
      stream.respond({ ":status": 204 }, { endStream: true });
    });
  }

  static async start(): Promise<Nghttp2Reader> {
    const reader = new Nghttp2Reader();
    await once(reader.#server.listen(0, "127.0.0.1"), "listening");
    return reader;
  }

  /** Connects anew: the table is empty again. */
  async connect(): Promise<void> {
    this.#socket?.destroy();
    this.#streamId = 1;
    const socket = connect({ port: (this.#server.address() as AddressInfo).port, host: "127.0.0.1", noDelay: true });
    this.#socket = socket;
    socket.on("error", () => undefined);
    socket.on("close", () => {
      if (this.#socket === socket) this.#onDone(-1);
    });
    onFrames(socket, 0, ({ type, flags, payload }) => {
      if (type === GOAWAY) this.#onDone(payload.readUInt32BE(4));
      else if (type === PING && flags === ACK) this.#onDone(0);
      else if (type === SETTINGS && flags === 0) {
        socket.write(frame(SETTINGS, ACK, 0));
        for (let at = 0; at < payload.length; at += 6)
          if (payload.readUInt16BE(at) === HEADER_TABLE_SIZE) this.onTableBytes(payload.readUInt32BE(at + 2));
      }
    });
    await once(socket, "connect");
    socket.write(Buffer.concat([Buffer.from(PREFACE), frame(SETTINGS, 0, 0)]));
    await this.read([]);
  }

  /** Sends each block as a request. Resolves to what the server saw in those that are whole requests, or that it refused one's compression. */
  async read(blocks: readonly Uint8Array[]): Promise<string[][] | "compression error"> {
    this.#fields = [];
    const error = await new Promise<number>((resolve) => {
      this.#onDone = resolve;
      const frames = blocks.map((block) => frame(HEADERS, END_STREAM_AND_HEADERS, (this.#streamId += 2), block));
      this.#socket!.write(Buffer.concat([...frames, frame(PING, 0, 0, Buffer.alloc(8))]));
    });
    if (error === COMPRESSION_ERROR) return "compression error";
    if (error !== 0) throw new Error(`the server went away with error ${error}`);
    return this.#fields;
  }

  /** Lets the server announce a table size; resolves when it was acknowledged. */
  async announceTableBytes(bytes: number): Promise<void> {
    await new Promise<void>((resolve, reject) =>
      this.#session!.settings({ headerTableSize: bytes }, (error) => (error === null ? resolve() : reject(error))),
    );
  }

  async stop(): Promise<void> {
    this.#socket?.destroy();
    await new Promise<void>((resolve) => void this.#server.close(() => resolve()));
  }
}

/**
 * Lets a node:http2 client send requests, one after the other, to a server that announces these table sizes in turn, one
 * before each request. Resolves to the header blocks that it sent.
 */
export async function blocksOfNghttp2(requests: readonly OutgoingHttpHeaders[], tableBytes: readonly number[]): Promise<Buffer[]> {
  const blocks: Buffer[] = [];
  const server = createTcpServer({ noDelay: true });
  let announced = 0;
  let acknowledged: () => void = () => undefined;
  let peer: Socket | undefined;
  const announce = (): Promise<void> => {
    const setting = Buffer.alloc(6);
    setting.writeUInt16BE(HEADER_TABLE_SIZE);
    setting.writeUInt32BE(tableBytes[announced++ % tableBytes.length]!, 2);
    peer!.write(frame(SETTINGS, 0, 0, setting));
    return new Promise((resolve) => (acknowledged = resolve));
  };
  const connected = new Promise<void>((resolve) =>
    server.on("connection", (socket: Socket) => {
      peer = socket;
      socket.on("error", () => undefined);
      onFrames(socket, PREFACE.length, ({ type, flags, streamId, payload }) => {
        if (type === SETTINGS && flags === ACK) acknowledged();
        if (type !== HEADERS) return;
        blocks.push(payload);
        // `:status: 204` of the static table.
        socket.write(frame(HEADERS, END_STREAM_AND_HEADERS, streamId, Buffer.of(0x89)));
      });
      resolve();
    }),
  );
  await once(server.listen(0, "127.0.0.1"), "listening");
  const client = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  try {
    await connected;
    for (const headers of requests) {
      await announce();
      const stream = client.request(headers, { endStream: true });
      await once(stream, "response");
      stream.resume();
      await once(stream, "close");
    }
  } finally {
    client.destroy();
    peer?.destroy();
    await new Promise<void>((resolve) => void server.close(() => resolve()));
  }
  return blocks;
}
