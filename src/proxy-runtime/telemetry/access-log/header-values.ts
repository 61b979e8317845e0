// Reads header fields of a StreamInfo for the access log.
import type { StreamInfo } from "../stream-info.ts";

/** A request header, or one of the parts of the request that HTTP/2 calls `:method`, `:path`, `:authority`. */
export function requestValue(info: StreamInfo, lowerName: string): string | undefined {
  switch (lowerName) {
    case ":method":
      return info.method || undefined;
    case ":path":
      return info.path || undefined;
    case ":authority":
    case "host":
      return info.authority || undefined;
    default:
      return info.requestHeaders?.getByName(lowerName);
  }
}

export function responseValue(info: StreamInfo, lowerName: string): string | undefined {
  if (lowerName === ":status") return info.responseCode === 0 ? undefined : String(info.responseCode);
  return info.responseHeaders?.getByName(lowerName);
}

export function trailerValue(info: StreamInfo, lowerName: string): string | undefined {
  return info.responseTrailers?.getByName(lowerName);
}
