// The client side of one ADS stream, state of the world: subscribes by type, acknowledges or refuses each response by what
// the caller says of it, and comes back by itself with what it knows. Holds no resources and has no policy.
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { JsonObject } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import { Backoff } from "../common/backoff.ts";
import type { Clock } from "../common/clock.ts";
import type { Problem } from "../common/result.ts";
import { formatProblems } from "../common/result.ts";
import { VERSION } from "../common/version.ts";
import type { Node } from "./gen/envoy/config/core/v3/base_pb.ts";
import { NodeSchema } from "./gen/envoy/config/core/v3/base_pb.ts";
import type { DiscoveryResponse } from "./gen/envoy/service/discovery/v3/discovery_pb.ts";
import { DiscoveryRequestSchema, DiscoveryResponseSchema, ResourceSchema } from "./gen/envoy/service/discovery/v3/discovery_pb.ts";
import type { GrpcChannel, GrpcStream } from "./grpc-channel.ts";
import { GrpcCode } from "./grpc-status.ts";
import { ADS_METHOD, TypeUrl } from "./names.ts";

export interface AdsNode {
  readonly id: string;
  readonly cluster: string;
  readonly locality: { readonly region: string; readonly zone: string; readonly subZone: string };
  readonly metadata: JsonObject;
}

export interface AdsClientOptions {
  readonly channel: GrpcChannel;
  readonly node: AdsNode;
  /** Asked anew for each stream, so that a renewed token is used. May throw: then the stream is tried again later. */
  readonly metadata: () => Readonly<Record<string, string>>;
  readonly clock: Clock;
  /** Uniform in [0, 1), for the back-off. */
  readonly random?: () => number;
  /**
   * A response for a subscribed type, as wire bytes of the resources. What it returns decides: no problem is an ACK, any is
   * a NACK that tells them all. Subscriptions may be changed within; they are sent after the answer.
   */
  readonly onResponse: (typeUrl: string, version: string, resources: readonly Uint8Array[]) => readonly Problem[];
  /** The stream has brought its first response, or has ended (with the reason). */
  readonly onConnection?: (state: { readonly connected: true } | { readonly connected: false; readonly reason: string }) => void;
}

interface Subscription {
  /** "*": all there are. */
  names: "*" | readonly string[];
  /** Of the last accepted response. */
  version: string;
  /** Of the last response on this stream. */
  nonce: string;
  isDirty: boolean;
}

// Envoy's for ADS streams.
const BACKOFF = { initialMs: 500, maxMs: 30_000 };
const RESOURCE_TYPE_URL = `type.googleapis.com/${ResourceSchema.typeName}`;
const ORDER: readonly string[] = Object.values(TypeUrl);

export class AdsClient {
  readonly #options: AdsClientOptions;
  readonly #backoff: Backoff;
  readonly #subscriptions = new Map<string, Subscription>();
  #stream: GrpcStream | undefined;
  #nodeSent = false;
  #hasAnswered = false;
  #isAnswering = false;
  #isStarted = false;
  #cancelRetry: () => void = () => {};

  constructor(options: AdsClientOptions) {
    this.#options = options;
    this.#backoff = new Backoff({ ...BACKOFF, ...(options.random === undefined ? {} : { random: options.random }) });
  }

  /** Opens the stream, and again whenever it ends. */
  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.#connect();
  }

  /** Ends the stream for good; no callback comes any more. */
  close(): void {
    this.#isStarted = false;
    this.#cancelRetry();
    this.#stream?.close();
    this.#stream = undefined;
  }

  /** The whole set of names that are wanted of a type; "*" for all. Nothing is sent when it is the same as before. */
  subscribe(typeUrl: string, names: "*" | readonly string[]): void {
    const known = this.#subscriptions.get(typeUrl);
    if (known === undefined) {
      // An empty first request would mean "all" to some control planes.
      if (names.length === 0) return;
      this.#subscriptions.set(typeUrl, { names, version: "", nonce: "", isDirty: true });
    } else {
      if (sameNames(known.names, names)) return;
      known.names = names;
      known.isDirty = true;
    }
    if (!this.#isAnswering) this.#flush();
  }

  /** Version of the last accepted response by type URL. */
  versions(): ReadonlyMap<string, string> {
    return new Map([...this.#subscriptions].map(([typeUrl, { version }]) => [typeUrl, version]));
  }

  #connect(): void {
    let metadata: Readonly<Record<string, string>>;
    try {
      metadata = this.#options.metadata();
    } catch (error) {
      this.#onEnd(error instanceof Error ? error.message : String(error));
      return;
    }
    this.#nodeSent = false;
    this.#hasAnswered = false;
    for (const [typeUrl, subscription] of this.#subscriptions) {
      // Dropped subscriptions have nothing to say on a new stream.
      if (subscription.names.length === 0) this.#subscriptions.delete(typeUrl);
      subscription.nonce = "";
      subscription.isDirty = true;
    }
    this.#stream = this.#options.channel.stream(ADS_METHOD, {
      metadata,
      onMessage: (message) => this.#onMessage(message),
      onEnd: ({ code, message }) => this.#onEnd(code === GrpcCode.ok ? "ended by the control plane" : message || `gRPC status ${code}`),
    });
    this.#flush();
  }

  #onEnd(reason: string): void {
    this.#stream = undefined;
    if (!this.#isStarted) return;
    this.#options.onConnection?.({ connected: false, reason });
    this.#cancelRetry = this.#options.clock.after(this.#backoff.next(), () => this.#connect());
  }

  #onMessage(bytes: Uint8Array): void {
    let response: DiscoveryResponse;
    try {
      response = fromBinary(DiscoveryResponseSchema, bytes);
    } catch (error) {
      this.#stream?.close();
      this.#onEnd(`the control plane sent what is no DiscoveryResponse: ${error instanceof Error ? error.message : String(error)}`);
      return;
    }
    if (!this.#hasAnswered) {
      this.#hasAnswered = true;
      this.#backoff.reset();
      this.#options.onConnection?.({ connected: true });
    }
    const subscription = this.#subscriptions.get(response.typeUrl);
    // Nobody asked, so nobody can say whether it is good.
    if (subscription === undefined) return;
    subscription.nonce = response.nonce;
    const problems = this.#judge(response);
    if (problems.length === 0) subscription.version = response.versionInfo;
    // The answer carries the names that are wanted now.
    this.#send(response.typeUrl, subscription, problems);
    this.#flush();
  }

  #judge(response: DiscoveryResponse): readonly Problem[] {
    this.#isAnswering = true;
    try {
      const resources: Uint8Array[] = [];
      const problems: Problem[] = [];
      response.resources.forEach((any, index) => {
        const bytes = unwrap(any, response.typeUrl);
        if (bytes === undefined) problems.push({ path: `resources[${index}]`, message: `is a ${any.typeUrl}, not a ${response.typeUrl}` });
        else resources.push(bytes);
      });
      return problems.length > 0 ? problems : this.#options.onResponse(response.typeUrl, response.versionInfo, resources);
    } catch (error) {
      return [{ path: "", message: `internal error: ${error instanceof Error ? error.message : String(error)}` }];
    } finally {
      this.#isAnswering = false;
    }
  }

  /** Sends what changed, in the order in which types depend on each other. */
  #flush(): void {
    for (const typeUrl of ORDER) {
      const subscription = this.#subscriptions.get(typeUrl);
      if (subscription?.isDirty === true && this.#stream !== undefined) this.#send(typeUrl, subscription, []);
    }
  }

  #send(typeUrl: string, subscription: Subscription, problems: readonly Problem[]): void {
    if (this.#stream === undefined) return;
    const request = create(DiscoveryRequestSchema, {
      typeUrl,
      versionInfo: subscription.version,
      responseNonce: subscription.nonce,
      resourceNames: subscription.names === "*" ? [] : [...subscription.names],
      ...(this.#nodeSent ? {} : { node: toNode(this.#options.node) }),
      // Envoy's code for a refused configuration.
      ...(problems.length === 0 ? {} : { errorDetail: { code: GrpcCode.internal, message: formatProblems(problems) } }),
    });
    this.#nodeSent = true;
    subscription.isDirty = false;
    this.#stream.send(toBinary(DiscoveryRequestSchema, request));
  }
}

function toNode(node: AdsNode): Node {
  return create(NodeSchema, {
    id: node.id,
    cluster: node.cluster,
    metadata: node.metadata,
    locality: node.locality,
    userAgentName: "meshctl",
    userAgentVersionType: { case: "userAgentVersion", value: VERSION },
  });
}

/** The resource itself; a control plane may put it into a Resource. */
function unwrap(any: Any, typeUrl: string): Uint8Array | undefined {
  if (any.typeUrl === typeUrl) return any.value;
  if (any.typeUrl !== RESOURCE_TYPE_URL) return undefined;
  const inner = fromBinary(ResourceSchema, any.value).resource;
  return inner?.typeUrl === typeUrl ? inner.value : undefined;
}

function sameNames(left: "*" | readonly string[], right: "*" | readonly string[]): boolean {
  if (left === "*" || right === "*") return left === right;
  return left.length === right.length && left.every((name, index) => name === right[index]);
}
