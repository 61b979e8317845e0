// A real @grpc/grpc-js server on port 0 that speaks raw bytes, with one unary and one bidirectional method.
import * as grpc from "@grpc/grpc-js";

export interface RawGrpcServer {
  readonly port: number;
  readonly server: grpc.Server;
  close(): void;
}

const same = (bytes: Buffer): Buffer => bytes;
const definition = (path: string, isStream: boolean): grpc.MethodDefinition<Buffer, Buffer> => ({
  path,
  requestStream: isStream,
  responseStream: isStream,
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
});

export const UNARY = "/test.Raw/Unary";
export const STREAM = "/test.Raw/Stream";

export async function startRawGrpcServer(handlers: {
  unary?: grpc.handleUnaryCall<Buffer, Buffer>;
  stream?: grpc.handleBidiStreamingCall<Buffer, Buffer>;
  credentials?: grpc.ServerCredentials;
  port?: number;
}): Promise<RawGrpcServer> {
  const server = new grpc.Server({ "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 });
  const implementation: grpc.UntypedServiceImplementation = {};
  if (handlers.unary !== undefined) implementation["unary"] = handlers.unary;
  if (handlers.stream !== undefined) implementation["stream"] = handlers.stream;
  const service: Record<string, grpc.MethodDefinition<Buffer, Buffer>> = {};
  if (handlers.unary !== undefined) service["unary"] = definition(UNARY, false);
  if (handlers.stream !== undefined) service["stream"] = definition(STREAM, true);
  server.addService(service, implementation);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${handlers.port ?? 0}`, handlers.credentials ?? grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return { port, server, close: () => server.forceShutdown() };
}
