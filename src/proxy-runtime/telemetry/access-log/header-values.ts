// Reads header fields out of the flat [name, value, …] arrays of a StreamInfo for the access log.
import type { StreamInfo } from "../stream-info.ts";

/** First value of a header, names compared without case. */
export function headerValue(headers: readonly string[], lowerName: string): string | undefined {
  for (let at = 0; at < headers.length; at += 2) {
    const name = headers[at]!;
    if (name.length === lowerName.length && name.toLowerCase() === lowerName) return headers[at + 1];
  }
  return undefined;
}

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
      return headerValue(info.requestHeaders, lowerName);
  }
}

export function responseValue(info: StreamInfo, lowerName: string): string | undefined {
  if (lowerName === ":status") return info.responseCode === 0 ? undefined : String(info.responseCode);
  return headerValue(info.responseHeaders, lowerName);
}

export function trailerValue(info: StreamInfo, lowerName: string): string | undefined {
  return headerValue(info.responseTrailers, lowerName);
}
