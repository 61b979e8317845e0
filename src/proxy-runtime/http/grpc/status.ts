// How a gRPC call ended, as headers and trailers say it.
import { codeFromHttpStatus, GrpcCode } from "../../../xds/grpc-status.ts";
import type { Cause } from "../../failure/cause.ts";
import { HeaderId } from "../header-id.ts";
import type { HeaderList } from "../header-list.ts";

const HIGHEST = GrpcCode.unauthenticated;

/** grpc-status; undefined when there is none. What is no code of gRPC's counts as UNKNOWN, as its clients have it. */
export function grpcStatusOf(headers: HeaderList): number | undefined {
  const text = headers.get(HeaderId["grpc-status"]);
  if (text === undefined) return undefined;
  const code = /^\d{1,2}$/.test(text) ? Number(text) : GrpcCode.unknown;
  return code > HIGHEST ? GrpcCode.unknown : code;
}

// What Envoy maps to a 5xx: UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, INTERNAL, UNAVAILABLE, DATA_LOSS.
const SERVER_ERRORS = new Set([2, 4, 12, 13, 14, 15]);

/** The server failed; other statuses, and none, say something about the call. */
export function isServerError(grpcStatus: number | undefined): boolean {
  return grpcStatus !== undefined && SERVER_ERRORS.has(grpcStatus);
}

/** What a client makes of a call that ended without grpc-status: by why it failed, else by its HTTP status. */
export function impliedGrpcStatus(httpStatus: number, cause: Cause | undefined): number {
  return cause === undefined ? codeFromHttpStatus(httpStatus) : cause.grpcStatus;
}

/** grpc-message: UTF-8 where everything but printable ASCII without `%` is percent-encoded. */
export function encodeGrpcMessage(text: string): string {
  return text.replace(/[^\x20-\x24\x26-\x7e]+/gu, (run) =>
    Buffer.from(run).reduce((out, byte) => `${out}%${byte.toString(16).toUpperCase().padStart(2, "0")}`, ""),
  );
}
