// Answers that a route gives by itself: redirects and direct responses (Envoy's RedirectAction, DirectResponseAction).
import type { PathMatch, RouteAction } from "../config/route-config.ts";
import { HeaderId, UNKNOWN } from "../http/header-id.ts";
import { HeaderList } from "../http/header-list.ts";
import type { RequestHead, ResponseHead } from "../http/stream.ts";

type Redirect = Extract<RouteAction, { kind: "redirect" }>;

export function redirectHead(action: Redirect, request: RequestHead, match: PathMatch): ResponseHead {
  const scheme = action.scheme ?? request.scheme;
  const mark = request.path.indexOf("?");
  const path = mark < 0 ? request.path : request.path.slice(0, mark);
  const query = mark < 0 || action.stripQuery ? "" : request.path.slice(mark);
  const target =
    action.path ??
    (action.prefixRewrite === undefined
      ? path
      : action.prefixRewrite + path.slice(match.kind === "regex" ? path.length : match.value.length));
  // A query in the configured path replaces the request's.
  const location = `${scheme}://${authority(action, request, scheme)}${target}${target.includes("?") ? "" : query}`;
  const headers = new HeaderList();
  headers.append(UNKNOWN, "location", location);
  headers.append(HeaderId["content-length"], "content-length", "0");
  return { status: action.status, reason: "", headers, contentLength: 0, headBytes: 0 };
}

function authority(action: Redirect, request: RequestHead, scheme: string): string {
  const colon = request.authority.endsWith("]") ? -1 : request.authority.lastIndexOf(":");
  const host = action.host ?? (colon < 0 ? request.authority : request.authority.slice(0, colon));
  if (action.port !== undefined) return `${host}:${action.port}`;
  // A changed scheme drops the port that was its default (Envoy).
  const port = colon < 0 ? "" : request.authority.slice(colon + 1);
  const isDefault = port === "" || (scheme === "https" ? port === "80" || port === "443" : port === "80" || port === "443");
  return action.host === undefined && !isDefault ? `${host}:${port}` : host;
}

/** The head of a direct response; the body follows. */
export function directHead(status: number, body: string): ResponseHead {
  const headers = new HeaderList();
  if (body !== "") headers.append(HeaderId["content-type"], "content-type", "text/plain");
  const length = Buffer.byteLength(body);
  headers.append(HeaderId["content-length"], "content-length", String(length));
  return { status, reason: "", headers, contentLength: length, headBytes: 0 };
}
