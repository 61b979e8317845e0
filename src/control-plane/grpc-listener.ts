// gRPC servers of the control plane: options, address, end.
import * as grpc from "@grpc/grpc-js";
import { formatHostPort } from "../common/address.ts";
import type { HostPort } from "../common/address.ts";
import { bindError } from "./bind-error.ts";

const KEEPALIVE_MS = 30_000;
/** A configuration of many services is far larger than gRPC's default of 4 MB; what clients send is small. */
const OPTIONS: grpc.ServerOptions = {
  "grpc.max_send_message_length": -1,
  "grpc.keepalive_time_ms": KEEPALIVE_MS,
  "grpc.keepalive_timeout_ms": 10_000,
  "grpc.keepalive_permit_without_calls": 1,
};

const STOP_GRACE_MS = 1_000;

export interface ListeningServer {
  /** As bound, for a port that was 0. */
  readonly port: number;
  stop(): Promise<void>;
}

export function createGrpcServer(): grpc.Server {
  // Its own lines on stderr are no log of ours; what matters comes back as an error.
  grpc.setLogVerbosity(grpc.logVerbosity.NONE);
  return new grpc.Server(OPTIONS);
}

/** Resolves to the port that was bound. */
export function bindGrpc(server: grpc.Server, address: HostPort, credentials: grpc.ServerCredentials, flag: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(formatHostPort(address), credentials, (error, port) =>
      error === null ? resolve(port) : reject(bindError(error, address, flag)),
    );
  });
}

/** Lets running calls end for a moment, then ends them. */
export function stopGrpc(server: grpc.Server): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      server.forceShutdown();
      resolve();
    }, STOP_GRACE_MS);
    server.tryShutdown(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
