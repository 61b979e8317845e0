// Both ends of gRPC calls for tests, on real grpc-js: a service of raw bytes with all four kinds of calls, no .proto needed.
import * as grpc from "@grpc/grpc-js";

const SERVICE = "/test.Echo/";
const same = (bytes: Buffer): Buffer => bytes;

function method(name: string, requestStream: boolean, responseStream: boolean): grpc.MethodDefinition<Buffer, Buffer> {
  return {
    path: SERVICE + name,
    requestStream,
    responseStream,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
}

const METHODS = {
  unary: method("Unary", false, false),
  download: method("Download", false, true),
  upload: method("Upload", true, false),
  chat: method("Chat", true, true),
};

export interface EchoHandlers {
  readonly unary?: grpc.handleUnaryCall<Buffer, Buffer>;
  readonly download?: grpc.handleServerStreamingCall<Buffer, Buffer>;
  readonly upload?: grpc.handleClientStreamingCall<Buffer, Buffer>;
  readonly chat?: grpc.handleBidiStreamingCall<Buffer, Buffer>;
}

export interface EchoServer {
  readonly port: number;
  readonly server: grpc.Server;
  /** Calls that have begun. */
  readonly calls: number;
  /** Stops, cutting what runs. */
  stop(): void;
}

const UNLIMITED = { "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 };

/**
 * A server whose methods do what a test says, or else the obvious: Unary sends its message back, with what `x-…` metadata
 * came as metadata and `t-…` as trailers; Download sends as many messages as its message says; Upload answers how many
 * messages and bytes came; Chat sends each message back.
 */
export async function startEchoServer(handlers: EchoHandlers = {}, port = 0): Promise<EchoServer> {
  let calls = 0;
  const counting: grpc.ServerInterceptor = (_method, call) => {
    calls += 1;
    return new grpc.ServerInterceptingCall(call);
  };
  const server = new grpc.Server({ ...UNLIMITED, interceptors: [counting] });
  server.addService(METHODS, { ...echo(), ...handlers });
  const bound = await new Promise<number>((resolve, reject) =>
    server.bindAsync(`127.0.0.1:${port}`, grpc.ServerCredentials.createInsecure(), (error, to) =>
      error === null ? resolve(to) : reject(error),
    ),
  );
  return {
    port: bound,
    server,
    get calls() {
      return calls;
    },
    stop: () => server.forceShutdown(),
  };
}

function echo(): Required<EchoHandlers> {
  return {
    unary(call, done) {
      const [initial, trailing] = [new grpc.Metadata(), new grpc.Metadata()];
      for (const name of Object.keys(call.metadata.getMap())) {
        for (const value of call.metadata.get(name)) {
          if (name.startsWith("x-")) initial.add(name, value);
          else if (name.startsWith("t-")) trailing.add(name, value);
        }
      }
      call.sendMetadata(initial);
      done(null, call.request, trailing);
    },
    download(call) {
      for (let left = Number(call.request.toString()); left > 0; left -= 1) call.write(Buffer.from(`message ${left}`));
      call.end();
    },
    upload(call, done) {
      let [messages, bytes] = [0, 0];
      call.on("data", (each: Buffer) => {
        messages += 1;
        bytes += each.length;
      });
      call.on("end", () => done(null, Buffer.from(`${messages} ${bytes}`)));
    },
    chat(call) {
      call.on("data", (each: Buffer) => call.write(each));
      call.on("end", () => call.end());
    },
  };
}

/** How a call went. */
export interface Outcome {
  readonly code: grpc.status;
  readonly details: string;
  readonly messages: readonly Buffer[];
  /** Undefined where the answer was trailers alone. */
  readonly initial: grpc.Metadata | undefined;
  readonly trailing: grpc.Metadata;
}

export interface CallOptions {
  readonly metadata?: Readonly<Record<string, grpc.MetadataValue | readonly grpc.MetadataValue[]>>;
  /** From now. */
  readonly deadlineMs?: number;
}

/** A client on one connection of its own. Calls resolve, whatever they end with. */
export class EchoClient {
  readonly #client: grpc.Client;

  constructor(port: number, options: grpc.ClientOptions = {}) {
    // Neither the channels of other clients nor grpc-js's own retries are wanted here.
    const own = { "grpc.use_local_subchannel_pool": 1, "grpc.enable_retries": 0, ...UNLIMITED };
    this.#client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure(), { ...own, ...options });
  }

  unary(message: Buffer | string, options: CallOptions = {}): Promise<Outcome> {
    return new Promise((resolve) => {
      const messages: Buffer[] = [];
      let initial: grpc.Metadata | undefined;
      const call = this.#client.makeUnaryRequest(
        METHODS.unary.path,
        same,
        same,
        Buffer.from(message),
        metadataOf(options),
        callOptions(options),
        (_error, answer) => {
          if (answer !== undefined) messages.push(answer);
        },
      );
      call.on("metadata", (metadata) => (initial = metadata));
      call.on("status", ({ code, details, metadata }) => resolve({ code, details, messages, initial, trailing: metadata }));
    });
  }

  download(request: Buffer | string, options: CallOptions = {}): grpc.ClientReadableStream<Buffer> {
    const { path } = METHODS.download;
    return this.#client.makeServerStreamRequest(path, same, same, Buffer.from(request), metadataOf(options), callOptions(options));
  }

  upload(messages: readonly Buffer[], options: CallOptions = {}): Promise<Outcome> {
    return new Promise((resolve) => {
      const answers: Buffer[] = [];
      let initial: grpc.Metadata | undefined;
      const call = this.#client.makeClientStreamRequest<Buffer, Buffer>(
        METHODS.upload.path,
        same,
        same,
        metadataOf(options),
        callOptions(options),
        (_error, answer) => {
          if (answer !== undefined) answers.push(answer);
        },
      );
      call.on("metadata", (metadata) => (initial = metadata));
      call.on("status", ({ code, details, metadata }) => resolve({ code, details, messages: answers, initial, trailing: metadata }));
      for (const message of messages) call.write(message);
      call.end();
    });
  }

  chat(options: CallOptions = {}): grpc.ClientDuplexStream<Buffer, Buffer> {
    return this.#client.makeBidiStreamRequest<Buffer, Buffer>(METHODS.chat.path, same, same, metadataOf(options), callOptions(options));
  }

  close(): void {
    this.#client.close();
  }
}

/** Reads a streaming call to its end. */
export function outcomeOf(call: grpc.ClientReadableStream<Buffer>): Promise<Outcome> {
  const messages: Buffer[] = [];
  let initial: grpc.Metadata | undefined;
  return new Promise((resolve) => {
    call.on("metadata", (metadata: grpc.Metadata) => (initial = metadata));
    call.on("data", (message: Buffer) => messages.push(message));
    // Told by the status, too.
    call.on("error", () => undefined);
    call.on("status", ({ code, details, metadata }: grpc.StatusObject) =>
      resolve({ code, details, messages, initial, trailing: metadata }),
    );
  });
}

function metadataOf({ metadata = {} }: CallOptions): grpc.Metadata {
  const all = new grpc.Metadata();
  for (const [name, values] of Object.entries(metadata)) {
    for (const value of Array.isArray(values) ? (values as readonly grpc.MetadataValue[]) : [values as grpc.MetadataValue])
      all.add(name, value);
  }
  return all;
}

function callOptions({ deadlineMs }: CallOptions): grpc.CallOptions {
  return deadlineMs === undefined ? {} : { deadline: Date.now() + deadlineMs };
}
