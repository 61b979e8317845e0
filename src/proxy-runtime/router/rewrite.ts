// Path and host rewrites of a route, before the request goes upstream.
import type { PathMatch, RouteAction } from "../config/route-config.ts";
import { HeaderId } from "../http/header-id.ts";
import type { RequestHead } from "../http/stream.ts";

export function rewriteRequest(head: RequestHead, action: Extract<RouteAction, { kind: "route" }>, match: PathMatch): void {
  if (action.prefixRewrite !== undefined && match.kind !== "regex") {
    head.headers.set(HeaderId["x-envoy-original-path"], head.path);
    const mark = head.path.indexOf("?");
    const path = mark < 0 ? head.path : head.path.slice(0, mark);
    const rest = match.kind === "exact" ? "" : path.slice(match.value.length);
    head.path = action.prefixRewrite + rest + (mark < 0 ? "" : head.path.slice(mark));
  }
  if (action.hostRewrite !== undefined) {
    head.authority = action.hostRewrite;
    head.headers.set(HeaderId["host"], action.hostRewrite);
  }
}
