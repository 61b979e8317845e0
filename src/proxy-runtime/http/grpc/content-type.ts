// Which requests are gRPC calls: told by the content type alone, whatever the HTTP version, as Envoy does.
import { HeaderId } from "../header-id.ts";
import type { HeaderList } from "../header-list.ts";

const GRPC = "application/grpc";
const PLUS = 0x2b;
const SEMICOLON = 0x3b;

/** `application/grpc`, alone or with a subtype (`+proto`) or parameters; not `application/grpc-web`, which has other framing. */
export function isGrpc(headers: HeaderList): boolean {
  const type = headers.get(HeaderId["content-type"]);
  if (type === undefined || !type.startsWith(GRPC)) return false;
  if (type.length === GRPC.length) return true;
  const next = type.charCodeAt(GRPC.length);
  return next === PLUS || next === SEMICOLON;
}
