// Trailer fields: which of them may pass.
import { HeaderId, REMOVED } from "./header-id.ts";
import type { HeaderList } from "./header-list.ts";

// Fields that would change framing, routing or trust after the fact (RFC 9110 §6.5.1). x-mesh-error may end a gRPC call;
// whether its sender may say so is for the router, which knows who that is.
const NOT_IN_TRAILERS = new Set<number>([
  HeaderId["content-length"],
  HeaderId["transfer-encoding"],
  HeaderId["host"],
  HeaderId["connection"],
  HeaderId["te"],
  HeaderId["trailer"],
  HeaderId["authorization"],
  HeaderId["expect"],
  HeaderId["keep-alive"],
  HeaderId["upgrade"],
  HeaderId["x-forwarded-client-cert"],
  HeaderId["content-type"],
  HeaderId["cookie"],
]);

/** Removes trailer fields that must not be there. */
export function sanitizeTrailers(trailers: HeaderList): HeaderList {
  for (let index = 0; index < trailers.ids.length; index += 1) {
    if (NOT_IN_TRAILERS.has(trailers.ids[index]!)) trailers.ids[index] = REMOVED;
  }
  return trailers;
}
