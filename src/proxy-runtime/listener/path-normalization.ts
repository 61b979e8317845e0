// Makes a path mean one thing, so that what is allowed is what is served: RFC 3986 §6.2.2 and §5.2.4 as Envoy does them,
// and its options for slashes.
import type { HttpConnectionManagerConfig } from "../config/listener-config.ts";

type Options = Pick<HttpConnectionManagerConfig, "normalizePath" | "mergeSlashes" | "escapedSlashes">;

export interface NormalizedPath {
  /** With its query. */
  readonly path: string;
  readonly outcome: "ok" | "redirect" | "reject";
}

const SLASH = 47;
const DOT = 46;
const PERCENT = 37;
const BACKSLASH = 92;
const ESCAPED_SLASH = /%2f|%5c/i;

/** False: nothing here changes the path. Most are like that. */
export function mayNeedNormalization(path: string): boolean {
  let before = 0;
  for (let at = 0; at < path.length; at += 1) {
    const code = path.charCodeAt(at);
    if (code === PERCENT || code === BACKSLASH || (before === SLASH && (code === SLASH || code === DOT))) return true;
    before = code;
  }
  return false;
}

export function normalizePath(path: string, options: Options): NormalizedPath {
  if (path.charCodeAt(0) !== SLASH || !mayNeedNormalization(path)) return { path, outcome: "ok" };
  const mark = path.indexOf("?");
  const query = mark < 0 ? "" : path.slice(mark);
  let only = mark < 0 ? path : path.slice(0, mark);
  let outcome: NormalizedPath["outcome"] = "ok";
  if (options.escapedSlashes !== "keep" && ESCAPED_SLASH.test(only)) {
    if (options.escapedSlashes === "reject") return { path, outcome: "reject" };
    if (options.escapedSlashes === "unescape_and_redirect") outcome = "redirect";
    only = only.replace(/%2f/gi, "/").replace(/%5c/gi, "\\");
  }
  if (options.normalizePath) {
    // What ends a string elsewhere has no place in a path.
    if (only.includes("%00")) return { path, outcome: "reject" };
    only = removeDots(decodeUnreserved(only.replaceAll("\\", "/")));
  }
  // After normalization, which may bring slashes together.
  if (options.mergeSlashes) only = only.replace(/\/{2,}/g, "/");
  return { path: only + query, outcome };
}

/** `%41` → `A` for unreserved characters; other escapes stay as they are written. */
function decodeUnreserved(path: string): string {
  return path.replace(/%([0-9a-fA-F]{2})/g, (whole, hex: string) => {
    const char = String.fromCharCode(parseInt(hex, 16));
    return /[A-Za-z0-9\-._~]/.test(char) ? char : whole;
  });
}

/** Removes `.` and `..` segments; above the root there is the root. */
function removeDots(path: string): string {
  const segments: string[] = [];
  const parts = path.slice(1).split("/");
  for (let index = 0; index < parts.length; index += 1) {
    const part = parts[index]!;
    const last = index === parts.length - 1;
    if (part === ".") {
      if (last) segments.push("");
    } else if (part === "..") {
      segments.pop();
      if (last) segments.push("");
    } else segments.push(part);
  }
  return `/${segments.join("/")}`;
}
