// Path and host rewrites of a route, before the request goes upstream.
import type { PathMatch, RouteAction } from "../config/route-config.ts";
import { HeaderId } from "../http/header-id.ts";
import type { RequestHead } from "../http/stream.ts";

/** @param marks the headers that say what path and host were before. */
export function rewriteRequest(head: RequestHead, action: RouteAction & { kind: "route" }, match: PathMatch, marks: boolean): void {
  if (action.prefixRewrite !== undefined && match.kind !== "regex" && match.kind !== "connect") {
    if (marks) head.headers.set(HeaderId["x-envoy-original-path"], head.path);
    const mark = head.path.indexOf("?");
    const path = mark < 0 ? head.path : head.path.slice(0, mark);
    const rest = match.kind === "exact" ? "" : path.slice(match.value.length);
    head.path = action.prefixRewrite + rest + (mark < 0 ? "" : head.path.slice(mark));
  }
  if (action.hostRewrite !== undefined && action.hostRewrite !== head.authority) {
    if (marks) head.headers.set(HeaderId["x-envoy-original-host"], head.authority);
    if (action.appendForwardedHost) {
      const before = head.headers.joined(HeaderId["x-forwarded-host"]);
      head.headers.set(HeaderId["x-forwarded-host"], before === undefined ? head.authority : `${before},${head.authority}`);
    }
    head.authority = action.hostRewrite;
    head.headers.set(HeaderId["host"], action.hostRewrite);
  }
}
