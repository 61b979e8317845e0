// One connection to a port on a pod's loopback, through the API server and the pod's kubelet: a Duplex over the client's
// WebSocket. The client's own PortForward doesn't tell when the far side has ended, and drops what a refusal says.
import type { KubeConfig } from "@kubernetes/client-node";
import { WebSocketHandler } from "@kubernetes/client-node/dist/web-socket-handler.js";
import type { ClientRequest, IncomingMessage } from "node:http";
import type { RequestOptions } from "node:https";
import { Duplex } from "node:stream";
import { text } from "node:stream/consumers";
import type { Clock } from "../common/clock.ts";
import { ApiError, fromAnswer, fromThrown } from "./api-error.ts";
import type { ClusterConnection } from "./cluster-connection.ts";

export interface PortForwardTarget {
  readonly namespace: string;
  readonly pod: string;
  readonly port: number;
}

export interface PortForwardOptions {
  readonly clock: Clock;
  /** From asking until the kubelet has taken the connection on. */
  readonly timeoutMs: number;
}

/** What is used of the client's WebSocket, which is that of the package ws. */
interface WebSocket {
  readonly CLOSED: number;
  readonly readyState: number;
  send(data: Buffer, done: (error?: Error) => void): void;
  pause(): void;
  resume(): void;
  terminate(): void;
  on(event: "unexpected-response", listener: (request: ClientRequest, response: IncomingMessage) => void): void;
  on(event: "error", listener: (error: Error) => void): void;
  on(event: "close", listener: (code: number) => void): void;
}

/** Channels of `v4.channel.k8s.io` for the first port of a forwarding: even ones carry data, odd ones what went wrong. */
const DATA = 0;
const ERROR = 1;
/** The first message of each channel is the port, little-endian. */
const PORT_BYTES = 2;
/** Reason of an ApiError that is about the pod or its node, and not about the API server. */
export const POD_FAILED = "PodFailed";
/** RFC 6455 §7.4.1: closed in order, also where no code was given. */
const ORDERLY: ReadonlySet<number> = new Set([1000, 1001, 1005]);

/**
 * Resolves once the kubelet has taken it on; that nothing listens on the port is told afterwards, by the stream's error.
 * It ends when the far side does. end() reaches nobody (the protocol has no half-closed connections): destroy() does.
 * @throws ApiError
 */
export async function openPortForward(
  connection: ClusterConnection,
  target: PortForwardTarget,
  { clock, timeoutMs }: PortForwardOptions,
): Promise<Duplex> {
  const stream = new ForwardedPort();
  let cancel = (): void => undefined;
  const tooLate = new Promise<never>((_, reject) => {
    const reason = (): string => (stream.isUpgraded ? POD_FAILED : "");
    cancel = clock.after(timeoutMs, () => reject(new ApiError(0, reason(), `no answer within ${timeoutMs / 1000} s`)));
  });
  try {
    await Promise.race([connect(connection, target, stream), tooLate]);
    // Taken on and broken off by one and the same packet.
    if (stream.errored !== null) throw stream.errored;
    return stream;
  } catch (error) {
    stream.destroy();
    throw fromThrown(error);
  } finally {
    cancel();
  }
}

async function connect(connection: ClusterConnection, target: PortForwardTarget, stream: ForwardedPort): Promise<void> {
  const [namespace, pod] = [encodeURIComponent(target.namespace), encodeURIComponent(target.pod)];
  const path = `/api/v1/namespaces/${namespace}/pods/${pod}/portforward?ports=${target.port}`;
  let refuse: (error: unknown) => void = () => undefined;
  const refused = new Promise<never>((_, reject) => (refuse = reject));
  // The handler asks for nothing else of a configuration.
  const configuration: Pick<KubeConfig, "getCurrentCluster" | "applyToHTTPSOptions"> = {
    getCurrentCluster: () => connection.getCurrentCluster(),
    applyToHTTPSOptions: async (options: RequestOptions) => {
      await connection.applyToHTTPSOptions(options);
      Object.assign(options, {
        perMessageDeflate: false,
        // Before it is sent, and the only moment at which the WebSocket can be had while it connects.
        finishRequest: (request: ClientRequest, socket: WebSocket) => {
          socket.on("unexpected-response", (_request, response) => void readRefusal(response).then(refuse));
          stream.use(socket);
          request.end();
        },
      });
    },
  };
  const opening = new WebSocketHandler(configuration as KubeConfig)
    .connect(path, null, (channel, bytes) => {
      stream.onMessage(channel, bytes);
      return true;
    })
    .catch((event: unknown) => {
      throw (event as { error?: unknown }).error ?? event;
    });
  await Promise.race([opening, refused]);
  stream.isUpgraded = true;
  await Promise.race([stream.isTaken, refused]);
}

async function readRefusal(response: IncomingMessage): Promise<ApiError> {
  const body = await text(response).catch(() => "");
  return fromAnswer(response.statusCode ?? 0, response.statusMessage ?? "", body, response.headers["retry-after"] ?? null);
}

class ForwardedPort extends Duplex {
  /** The kubelet has said which port it connects to; rejects when the connection ends before. */
  readonly isTaken: Promise<void>;
  /** The API server has handed it on: what is missing now is the kubelet's word. */
  isUpgraded = false;
  #taken: () => void = () => undefined;
  #failed: (error: Error) => void = () => undefined;
  #socket: WebSocket | undefined;
  readonly #begun = new Set<number>();

  constructor() {
    super();
    this.isTaken = new Promise((resolve, reject) => {
      this.#taken = resolve;
      this.#failed = reject;
    });
    this.isTaken.catch(() => undefined);
    // What goes wrong before its user listens is told by openPortForward.
    this.on("error", () => undefined);
  }

  use(socket: WebSocket): void {
    this.#socket = socket;
    if (this.destroyed) return socket.terminate();
    socket.on("error", (error) => this.#fail(error));
    socket.on("close", (code) => {
      if (!ORDERLY.has(code)) return this.#fail(new ApiError(0, "", "the connection broke off"));
      this.#failed(new ApiError(0, "", "the connection was closed at once"));
      this.push(null);
    });
  }

  onMessage(channel: number, bytes: Buffer): void {
    if (this.destroyed) return;
    if (!this.#begun.has(channel)) {
      this.#begun.add(channel);
      if (channel === DATA) this.#taken();
      bytes = bytes.subarray(PORT_BYTES);
    }
    if (bytes.length === 0) return;
    if (channel === ERROR) this.#fail(new ApiError(0, POD_FAILED, bytes.toString().trim()));
    else if (channel === DATA && !this.push(bytes)) this.#socket?.pause();
  }

  override _read(): void {
    this.#socket?.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.#socket === undefined || this.#socket.readyState === this.#socket.CLOSED) {
      return done(new ApiError(0, "", "the connection is closed"));
    }
    this.#socket.send(Buffer.concat([Buffer.of(DATA), chunk]), done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    // It tells its end, and that it was ended while connecting, by events that mean nothing now.
    this.#socket?.terminate();
    done(error);
  }

  /** While it is being opened, the promise tells it, and nobody listens to the stream yet. */
  #fail(error: Error): void {
    this.#failed(error);
    if (this.#begun.has(DATA)) this.destroy(error);
  }
}
