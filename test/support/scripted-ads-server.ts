// A @grpc/grpc-js ADS server that records every request and answers exactly what a test tells it to.
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";
import type { DiscoveryRequest } from "../../src/xds/gen/envoy/service/discovery/v3/discovery_pb.ts";
import { DiscoveryRequestSchema, DiscoveryResponseSchema } from "../../src/xds/gen/envoy/service/discovery/v3/discovery_pb.ts";
import { ADS_METHOD } from "../../src/xds/names.ts";
import { eventually } from "./eventually.ts";

type Call = grpc.ServerDuplexStream<Buffer, Buffer>;

export interface AdsStream {
  readonly call: Call;
  readonly requests: DiscoveryRequest[];
}

export class ScriptedAdsServer {
  readonly streams: AdsStream[];
  readonly port: number;
  readonly #server: grpc.Server;
  #nonce = 0;

  private constructor(server: grpc.Server, port: number, streams: AdsStream[]) {
    this.#server = server;
    this.port = port;
    this.streams = streams;
  }

  static async start(port = 0): Promise<ScriptedAdsServer> {
    const streams: AdsStream[] = [];
    const server = new grpc.Server();
    const same = (bytes: Buffer): Buffer => bytes;
    const codec = { requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same };
    server.addService(
      { stream: { path: ADS_METHOD, requestStream: true, responseStream: true, ...codec } },
      {
        stream: (call: Call) => {
          const stream: AdsStream = { call, requests: [] };
          streams.push(stream);
          call.on("data", (bytes: Buffer) => stream.requests.push(fromBinary(DiscoveryRequestSchema, bytes)));
          call.on("error", () => {});
          call.on("end", () => call.end());
        },
      },
    );
    const bound = await new Promise<number>((resolve, reject) => {
      server.bindAsync(`127.0.0.1:${port}`, grpc.ServerCredentials.createInsecure(), (error, at) =>
        error === null ? resolve(at) : reject(error),
      );
    });
    return new ScriptedAdsServer(server, bound, streams);
  }

  /** The n-th request of a type on a stream, once it is there. */
  request(typeUrl: string, index: number, stream = 0): Promise<DiscoveryRequest> {
    return eventually(
      () => {
        const request = this.streams[stream]?.requests.filter((each) => each.typeUrl === typeUrl)[index];
        if (request === undefined) throw new Error(`no request ${index} of ${typeUrl} on stream ${stream}`);
        return request;
      },
      { withinMs: 5000 },
    );
  }

  /** Sends a response on the newest stream; returns its nonce. */
  respond(typeUrl: string, version: string, resources: readonly Uint8Array[], resourceTypeUrl = typeUrl): string {
    const nonce = `n${++this.#nonce}`;
    const response = create(DiscoveryResponseSchema, {
      typeUrl,
      versionInfo: version,
      nonce,
      resources: resources.map((value) => ({ typeUrl: resourceTypeUrl, value })),
    });
    this.streams.at(-1)!.call.write(Buffer.from(toBinary(DiscoveryResponseSchema, response)));
    return nonce;
  }

  close(): void {
    this.#server.forceShutdown();
  }
}
