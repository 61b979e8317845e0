// Patterns that come from configuration: RE2 syntax, linear time, the whole text must match (Envoy's safe_regex).
// The library is loaded with the first pattern, in the same turn: few meshes have one, and it costs a sidecar 1.7 MB.
import { createRequire } from "node:module";
import type * as Re2Js from "re2js";

let library: typeof Re2Js | undefined;

function re2(): typeof Re2Js {
  // The bundle has it as a file of its own beside the one that this is in.
  library ??= createRequire(import.meta.url)(process.env.MESHCTL_RE2 ?? "re2js") as typeof Re2Js;
  return library;
}

/**
 * @param pattern RE2 syntax.
 * @returns a predicate over whole texts.
 * @throws RE2JSSyntaxException for a pattern that is none.
 */
export function compileRegex(pattern: string): (text: string) => boolean {
  const compiled = re2().RE2JS.compile(pattern);
  return (text) => compiled.matches(text);
}
