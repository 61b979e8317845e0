// The facts of docs/failures.md: what its rows say of a cause before they explain it.
import type { Cause } from "../../../src/proxy-runtime/failure/cause.ts";

/** Cause, flag, status, gRPC status, party and details, as they stand in the page. */
export function failureCells(cause: Cause): string[] {
  const { blame, blameInMesh, blameInbound } = cause;
  const parties = [
    blame,
    blameInMesh === undefined ? "" : `to a sidecar: ${blameInMesh}`,
    blameInbound === undefined ? "" : `inbound: ${blameInbound}`,
  ];
  const details = `\`${cause.details.replaceAll("|", "\\|")}\``;
  const by = parties.filter((each) => each !== "").join("; ");
  return [cause.name, cause.flag, String(cause.httpStatus), String(cause.grpcStatus), by, details];
}
