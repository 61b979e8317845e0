// A client of ADS that does exactly what a test says, over @grpc/grpc-js: an independent peer for our server.
import * as grpc from "@grpc/grpc-js";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { JsonObject, MessageInitShape } from "@bufbuild/protobuf";
import { DiscoveryRequestSchema, DiscoveryResponseSchema } from "../../src/xds/gen/envoy/service/discovery/v3/discovery_pb.ts";
import type { DiscoveryRequest, DiscoveryResponse } from "../../src/xds/gen/envoy/service/discovery/v3/discovery_pb.ts";
import { ADS_METHOD } from "../../src/xds/names.ts";

export const NODE = {
  id: "sidecar~10.244.0.2~checkout-1.shop~shop.svc.cluster.local",
  metadata: { NAMESPACE: "shop", SERVICE_ACCOUNT: "checkout", INSTANCE_IPS: ["10.244.0.2"], LABELS: {} } as JsonObject,
};

export class AdsTestClient {
  readonly responses: DiscoveryResponse[] = [];
  /** Set once the stream has ended. */
  status: grpc.StatusObject | undefined;
  readonly #client: grpc.Client;
  readonly #call: grpc.ClientDuplexStream<DiscoveryRequest, DiscoveryResponse>;
  #waiting: (() => void)[] = [];
  #read = 0;

  constructor(target: string, options: { token?: string; rootPem?: string; serverName?: string } = {}) {
    const credentials =
      options.rootPem === undefined ? grpc.credentials.createInsecure() : grpc.credentials.createSsl(Buffer.from(options.rootPem));
    this.#client = new grpc.Client(target, credentials, {
      "grpc.max_receive_message_length": -1,
      ...(options.serverName === undefined ? {} : { "grpc.ssl_target_name_override": options.serverName }),
    });
    const metadata = new grpc.Metadata();
    if (options.token !== undefined) metadata.set("authorization", `Bearer ${options.token}`);
    this.#call = this.#client.makeBidiStreamRequest(
      ADS_METHOD,
      (request: DiscoveryRequest) => Buffer.from(toBinary(DiscoveryRequestSchema, request)),
      (bytes: Buffer) => fromBinary(DiscoveryResponseSchema, bytes),
      metadata,
    );
    const wake = (): void => {
      for (const each of this.#waiting.splice(0)) each();
    };
    this.#call.on("data", (response: DiscoveryResponse) => {
      this.responses.push(response);
      wake();
    });
    this.#call.on("status", (status: grpc.StatusObject) => {
      this.status = status;
      wake();
    });
    this.#call.on("error", () => undefined);
  }

  send(init: MessageInitShape<typeof DiscoveryRequestSchema>): void {
    this.#call.write(create(DiscoveryRequestSchema, init));
  }

  /** Accepts a response; `names` as a client repeats them. */
  ack(response: DiscoveryResponse, names: readonly string[] = []): void {
    this.send({ typeUrl: response.typeUrl, versionInfo: response.versionInfo, responseNonce: response.nonce, resourceNames: [...names] });
  }

  nack(response: DiscoveryResponse, message: string, names: readonly string[] = []): void {
    this.send({ typeUrl: response.typeUrl, responseNonce: response.nonce, resourceNames: [...names], errorDetail: { code: 3, message } });
  }

  /** The next response that hasn't been taken yet. */
  async next(withinMs = 3000): Promise<DiscoveryResponse> {
    const end = performance.now() + withinMs;
    while (this.responses.length <= this.#read) {
      const leftMs = end - performance.now();
      if (leftMs <= 0)
        throw new Error(
          `no response within ${withinMs} ms${this.status === undefined ? "" : `; status ${this.status.code} ${this.status.details}`}`,
        );
      await this.#change(leftMs);
    }
    return this.responses[this.#read++]!;
  }

  async ended(withinMs = 3000): Promise<grpc.StatusObject> {
    const end = performance.now() + withinMs;
    while (this.status === undefined) {
      const leftMs = end - performance.now();
      if (leftMs <= 0) throw new Error(`the stream still runs after ${withinMs} ms`);
      await this.#change(leftMs);
    }
    return this.status;
  }

  close(): void {
    this.#call.cancel();
    this.#client.close();
  }

  #change(withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, withinMs);
      this.#waiting.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}

/** Names of a response's resources, whatever their type: the field is number 1 in all of them. */
export function resourceNames(response: DiscoveryResponse): string[] {
  return response.resources.map((any) => {
    const length = any.value[1] ?? 0;
    const twoBytes = length > 127;
    const size = twoBytes ? (length & 127) | ((any.value[2] ?? 0) << 7) : length;
    const start = twoBytes ? 3 : 2;
    return Buffer.from(any.value.subarray(start, start + size)).toString();
  });
}
