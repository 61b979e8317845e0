// Patterns that come from configuration: RE2 syntax, linear time, the whole text must match (Envoy's safe_regex).
import { RE2JS } from "re2js";

/**
 * @param pattern RE2 syntax.
 * @returns a predicate over whole texts.
 * @throws RE2JSSyntaxException for a pattern that is none.
 */
export function compileRegex(pattern: string): (text: string) => boolean {
  const compiled = RE2JS.compile(pattern);
  return (text) => compiled.matches(text);
}
