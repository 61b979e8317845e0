// The server's end of ADS, state of the world: one stream per proxy, a subscription per type on it. It has no policy:
// who may connect and what each proxy is to have are functions handed in, and it is told when to push. The delta
// variant would be a second method over the same functions.
import * as http2 from "node:http2";
import * as grpc from "@grpc/grpc-js";
import { fromBinary } from "@bufbuild/protobuf";
import type { Node } from "./gen/envoy/config/core/v3/base_pb.ts";
import { DiscoveryRequestSchema } from "./gen/envoy/service/discovery/v3/discovery_pb.ts";
import type { DiscoveryRequest } from "./gen/envoy/service/discovery/v3/discovery_pb.ts";
import { encodeResponse } from "./ads-resources.ts";
import type { EncodedResource, ResourceSet } from "./ads-resources.ts";
import { AdsSubscription } from "./ads-subscription.ts";
import type { SubscriptionStatus } from "./ads-subscription.ts";
import { ADS_METHOD, TypeUrl } from "./names.ts";

/** Who a client has proven to be. */
export interface PeerIdentity {
  readonly namespace: string;
  readonly serviceAccount: string;
  /** undefined: proven was only the service account. */
  readonly pod?: { readonly name: string; readonly uid: string };
}

/** What a client shows: a token, and the certificate of its connection (DER, verified against the server's roots). */
export interface PeerCredentials {
  readonly token: string | undefined;
  readonly certificate: Uint8Array | undefined;
}

/** Rejects when it can't be told now: the client may try again. */
export type AuthenticatePeer = (
  credentials: PeerCredentials,
) => Promise<{ readonly ok: true; readonly identity: PeerIdentity } | { readonly ok: false; readonly reason: string }>;

/** `isTemporary`: the same client may be admitted in a moment. */
export type Admission<Proxy> =
  { readonly ok: true; readonly proxy: Proxy } | { readonly ok: false; readonly reason: string; readonly isTemporary?: boolean };

export interface AdsHooks<Proxy> {
  /** Judges a stream's first request. `identity` is undefined on a listener without authentication. A refusal ends the stream with PERMISSION_DENIED, a temporary one with UNAVAILABLE. */
  admit(node: Node, identity: PeerIdentity | undefined): Admission<Proxy>;
  resourcesFor(proxy: Proxy): ResourceSet;
  onConnected(connection: AdsConnection<Proxy>): void;
  onDisconnected(connection: AdsConnection<Proxy>): void;
  onSent(connection: AdsConnection<Proxy>, typeUrl: string, resources: number): void;
  onRefused(connection: AdsConnection<Proxy>, typeUrl: string, message: string): void;
  onUnauthenticated(peer: string, reason: string): void;
  /** Nobody can tell who it is, now. */
  onUndecided(peer: string, reason: string): void;
}

/** Make before break: what is pointed at goes before what points at it. */
const PUSH_ORDER: readonly string[] = [
  TypeUrl.cluster,
  TypeUrl.endpoints,
  TypeUrl.listener,
  TypeUrl.route,
  TypeUrl.secret,
  TypeUrl.nameTable,
];

/** Envoy knows about twenty; what nobody serves is remembered too, for whoever asks what a client wants. */
const MAX_TYPES = 64;

/** RFC 9113 §6.8: streams that run may end, whatever their number. */
const ANY_STREAM = 2 ** 31 - 1;

type Call = grpc.ServerDuplexStream<DiscoveryRequest, Uint8Array>;

const ADS_SERVICE: grpc.ServiceDefinition = {
  streamAggregatedResources: {
    path: ADS_METHOD,
    requestStream: true,
    responseStream: true,
    requestSerialize: () => Buffer.alloc(0),
    requestDeserialize: (bytes: Buffer) => fromBinary(DiscoveryRequestSchema, bytes),
    // Responses are assembled as bytes already.
    responseSerialize: (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    responseDeserialize: (bytes: Buffer) => bytes,
  },
};

/**
 * Adds ADS to a gRPC server.
 * @param authenticate undefined: anybody may connect; for listeners that only this machine reaches.
 */
export function addAdsService<Proxy>(
  server: grpc.Server,
  hooks: AdsHooks<Proxy>,
  controlPlane: string,
  authenticate: AuthenticatePeer | undefined,
): void {
  const serve = async (call: Call): Promise<void> => {
    let identity: PeerIdentity | undefined;
    if (authenticate !== undefined) {
      const certificate = call.getAuthContext().sslPeerCertificate?.raw;
      const answer = await authenticate({ token: bearerToken(call.metadata), certificate });
      if (!answer.ok) {
        hooks.onUnauthenticated(call.getPeer(), answer.reason);
        return refuse(call, grpc.status.UNAUTHENTICATED, answer.reason);
      }
      identity = answer.identity;
    }
    if (call.cancelled) return;
    serveStream(call, hooks, controlPlane, identity);
  };
  server.addService(ADS_SERVICE, {
    streamAggregatedResources: (call: Call) => {
      serve(call).catch((error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error);
        hooks.onUndecided(call.getPeer(), reason);
        refuse(call, grpc.status.UNAVAILABLE, reason);
      });
    },
  });
}

function bearerToken(metadata: grpc.Metadata): string | undefined {
  const value = metadata.get("authorization")[0];
  return typeof value === "string" ? /^Bearer\s+(\S+)$/i.exec(value)?.[1] : undefined;
}

function refuse(call: Call, code: grpc.status, details: string): void {
  call.emit("error", { code, details });
}

function serveStream<Proxy>(call: Call, hooks: AdsHooks<Proxy>, controlPlane: string, identity: PeerIdentity | undefined): void {
  let connection: AdsConnection<Proxy> | undefined;
  let ended = false;
  const end = (): void => {
    if (ended) return;
    ended = true;
    if (connection !== undefined) {
      connection.closed = true;
      hooks.onDisconnected(connection);
    }
  };
  call.on("data", (request: DiscoveryRequest) => {
    if (ended) return;
    if (request.typeUrl === "") return refuse(call, grpc.status.INVALID_ARGUMENT, "type_url is required on an aggregated stream");
    if (connection === undefined) {
      if (request.node === undefined) return refuse(call, grpc.status.INVALID_ARGUMENT, "the first request must name its node");
      const admission = hooks.admit(request.node, identity);
      if (!admission.ok) {
        const { UNAVAILABLE, PERMISSION_DENIED } = grpc.status;
        return refuse(call, admission.isTemporary === true ? UNAVAILABLE : PERMISSION_DENIED, admission.reason);
      }
      connection = new AdsConnection(call, hooks, controlPlane, request.node, admission.proxy);
      hooks.onConnected(connection);
    }
    if (!connection.hasRoomFor(request.typeUrl))
      return refuse(call, grpc.status.RESOURCE_EXHAUSTED, `more than ${MAX_TYPES} types on one stream`);
    connection.onRequest(request);
  });
  call.on("end", () => {
    call.end();
    end();
  });
  call.on("cancelled", end);
  call.on("close", end);
  call.on("error", end);
}

/** grpc-js 1.14 has no way to send one connection away; its call holds the stream that it came by. */
function sessionOf(call: Call): http2.ServerHttp2Session | undefined {
  return (call as unknown as { readonly call?: { readonly stream?: http2.ServerHttp2Stream } }).call?.stream?.session as
    http2.ServerHttp2Session | undefined;
}

let connectionCount = 0;

/** One proxy's stream. */
export class AdsConnection<Proxy> {
  readonly id: string;
  readonly node: Node;
  readonly proxy: Proxy;
  readonly peer: string;
  closed = false;
  readonly #call: Call;
  readonly #hooks: AdsHooks<Proxy>;
  readonly #controlPlane: string;
  readonly #subscriptions = new Map<string, AdsSubscription>();
  #responses = 0;

  constructor(call: Call, hooks: AdsHooks<Proxy>, controlPlane: string, node: Node, proxy: Proxy) {
    this.id = `${node.id}-${++connectionCount}`;
    this.node = node;
    this.proxy = proxy;
    this.peer = call.getPeer();
    this.#call = call;
    this.#hooks = hooks;
    this.#controlPlane = controlPlane;
  }

  status(): SubscriptionStatus[] {
    return [...this.#subscriptions.values()].map((each) => each.status());
  }

  hasRoomFor(typeUrl: string): boolean {
    return this.#subscriptions.has(typeUrl) || this.#subscriptions.size < MAX_TYPES;
  }

  onRequest(request: DiscoveryRequest): void {
    let subscription = this.#subscriptions.get(request.typeUrl);
    if (subscription === undefined) {
      subscription = new AdsSubscription(request.typeUrl);
      this.#subscriptions.set(request.typeUrl, subscription);
    }
    const known = subscription.status();
    const set = this.#hooks.resourcesFor(this.proxy);
    const answer = subscription.onRequest(request, set.types.get(request.typeUrl) ?? new Map());
    if (request.errorDetail !== undefined && request.responseNonce === known.sentNonce) {
      this.#hooks.onRefused(this, request.typeUrl, request.errorDetail.message);
    }
    // A type that nobody serves is left unanswered: the client goes on without it after its own timeout.
    if (answer !== undefined && set.types.has(request.typeUrl)) this.#send(subscription, answer, set.version);
  }

  /** Sends what changed, in order. Resolves when the transport has taken it, so that a slow proxy slows only its own pushes. */
  async push(): Promise<void> {
    const set = this.#hooks.resourcesFor(this.proxy);
    for (const typeUrl of PUSH_ORDER) {
      const subscription = this.#subscriptions.get(typeUrl);
      const available = set.types.get(typeUrl);
      if (this.closed || subscription === undefined || available === undefined) continue;
      const changed = subscription.onPush(available);
      if (changed !== undefined && !this.#send(subscription, changed, set.version)) await this.#drained();
    }
  }

  /** Ends the stream in order, and tells the client to connect anew for the next one. */
  close(): void {
    const session = sessionOf(this.#call);
    if (session !== undefined && !session.destroyed) session.goaway(http2.constants.NGHTTP2_NO_ERROR, ANY_STREAM);
    this.#call.end();
  }

  #send(subscription: AdsSubscription, resources: readonly EncodedResource[], version: string): boolean {
    const { typeUrl } = subscription;
    const nonce = `${++this.#responses}-${version}`;
    subscription.onSent(resources, version, nonce);
    if (typeUrl === TypeUrl.cluster) {
      const endpoints = this.#subscriptions.get(TypeUrl.endpoints);
      if (endpoints !== undefined) endpoints.answerNext = true;
    }
    const taken = this.#call.write(encodeResponse({ version, typeUrl, nonce, resources, controlPlane: this.#controlPlane }));
    this.#hooks.onSent(this, typeUrl, resources.length);
    return taken;
  }

  #drained(): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#call.off("drain", done);
        this.#call.off("close", done);
        this.#call.off("cancelled", done);
        resolve();
      };
      this.#call.on("drain", done);
      this.#call.on("close", done);
      this.#call.on("cancelled", done);
    });
  }
}
