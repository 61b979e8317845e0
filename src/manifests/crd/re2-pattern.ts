// A JavaScript pattern as the API server's Go reads it: RE2 syntax, searched anywhere in the text.
import { RE2JS } from "re2js";

/** @throws Error when RE2 has no such pattern: the schema that holds it can't become a CRD. */
export function toRe2Pattern(pattern: RegExp): string {
  const flags = pattern.flags.replace(/[gduvy]/g, "");
  if (/[^ims]/.test(flags)) throw new Error(`${String(pattern)} has flags that RE2 lacks`);
  // JavaScript escapes what need not be; Go refuses to be told about slashes.
  const source = pattern.source.replaceAll("\\/", "/");
  const text = flags === "" ? source : `(?${flags})${source}`;
  try {
    RE2JS.compile(text);
  } catch (error) {
    throw new Error(`${String(pattern)} is no pattern in RE2 syntax`, { cause: error });
  }
  return text;
}
