// A gRPC server on an address, or a plain message why not.
import * as grpc from "@grpc/grpc-js";
import { formatHostPort } from "../common/address.ts";
import type { HostPort } from "../common/address.ts";
import { UserError } from "../common/user-error.ts";

const KEEPALIVE_MS = 30_000;
/** A configuration of many services is far larger than gRPC's default of 4 MB; what clients send is small. */
const OPTIONS: grpc.ServerOptions = {
  "grpc.max_send_message_length": -1,
  "grpc.keepalive_time_ms": KEEPALIVE_MS,
  "grpc.keepalive_timeout_ms": 10_000,
  "grpc.keepalive_permit_without_calls": 1,
};

export function createGrpcServer(): grpc.Server {
  return new grpc.Server(OPTIONS);
}

/** Resolves to the port that was bound. */
export function bindGrpc(server: grpc.Server, address: HostPort, credentials: grpc.ServerCredentials, flag: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(formatHostPort(address), credentials, (error, port) => (error === null ? resolve(port) : reject(bindError(error, address, flag))));
  });
}

export function bindError(error: Error, address: HostPort, flag: string): UserError {
  const text = formatHostPort(address);
  if (/EADDRINUSE/.test(error.message)) return new UserError(`${text} is in use by another process`, `end it, or choose another address with ${flag}`);
  if (/EACCES/.test(error.message)) return new UserError(`this user may not listen on ${text}`, `choose a port above 1023 with ${flag}`);
  return new UserError(`can't listen on ${text}: ${error.message}`, `check ${flag}`);
}

/** Lets running calls end for a moment, then ends them. */
export function stopGrpc(server: grpc.Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      server.forceShutdown();
      resolve();
    }, graceMs);
    server.tryShutdown(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
