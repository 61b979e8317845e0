// Makes a path mean one thing, so that what is allowed is what is served: RFC 3986 §6.2.2 and §5.2.4, and Envoy's
// options for slashes.
import type { HttpConnectionManagerConfig } from "../config/listener-config.ts";

type Options = Pick<HttpConnectionManagerConfig, "normalizePath" | "mergeSlashes" | "escapedSlashes">;

// Nothing here changes a path of these characters without `//`, `/.` or `%`.
const NEEDS_WORK = /\/\/|\/\.|%|\\/;
const ESCAPED_SLASH = /%2f|%5c/i;

/** The path with its query, normalized; undefined where it must be refused. */
export function normalizePath(path: string, options: Options): string | undefined {
  if (!NEEDS_WORK.test(path) || path === "*") return path;
  const mark = path.indexOf("?");
  let only = mark < 0 ? path : path.slice(0, mark);
  const query = mark < 0 ? "" : path.slice(mark);
  if (options.normalizePath) {
    const normalized = removeDots(decodeUnreserved(only.replaceAll("\\", "/")));
    if (normalized === undefined) return undefined;
    only = normalized;
  }
  if (options.escapedSlashes !== "keep" && ESCAPED_SLASH.test(only)) {
    if (options.escapedSlashes === "reject") return undefined;
    only = only.replace(/%2f/gi, "/").replace(/%5c/gi, "/");
    if (options.normalizePath) {
      // What was hidden behind escaped slashes is judged, too.
      const normalized = removeDots(only);
      if (normalized === undefined) return undefined;
      only = normalized;
    }
  }
  if (options.mergeSlashes) only = only.replace(/\/{2,}/g, "/");
  return only + query;
}

/** `%41` → `A` for unreserved characters, upper-case hexadecimal for the rest. */
function decodeUnreserved(path: string): string {
  return path.replace(/%([0-9a-fA-F]{2})/g, (whole, hex: string) => {
    const char = String.fromCharCode(parseInt(hex, 16));
    return /[A-Za-z0-9\-._~]/.test(char) ? char : whole.toUpperCase();
  });
}

/** Removes `.` and `..` segments. A path that climbs above its root is refused, as Envoy does. */
function removeDots(path: string): string | undefined {
  if (!path.startsWith("/")) return undefined;
  const segments: string[] = [];
  const parts = path.slice(1).split("/");
  for (let index = 0; index < parts.length; index += 1) {
    const part = parts[index]!;
    const last = index === parts.length - 1;
    if (part === ".") {
      if (last) segments.push("");
    } else if (part === "..") {
      if (segments.length === 0) return undefined;
      segments.pop();
      if (last) segments.push("");
    } else segments.push(part);
  }
  return `/${segments.join("/")}`;
}
