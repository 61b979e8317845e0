// Does a certificate's name satisfy the configuration? Envoy's match_typed_subject_alt_names: any match will do.
import type { SanMatch, StringMatch } from "../config/tls-config.ts";
import { compileRegex } from "../config/regex.ts";

export interface SubjectAltNames {
  readonly uris: readonly string[];
  readonly dns: readonly string[];
  readonly ips: readonly string[];
  readonly emails: readonly string[];
}

/** Parses Node's `subjectaltname` text: `URI:spiffe://…, DNS:a, IP Address:1.2.3.4`; odd values are JSON-quoted there. */
export function parseSubjectAltNames(text: string | undefined): SubjectAltNames {
  const uris: string[] = [];
  const dns: string[] = [];
  const ips: string[] = [];
  const emails: string[] = [];
  for (const match of (text ?? "").matchAll(/(URI|DNS|IP Address|email):(?:"((?:[^"\\]|\\.)*)"|([^,]*))(?:, |$)/g)) {
    const value = match[2] === undefined ? match[3]! : (JSON.parse(`"${match[2]}"`) as string);
    ({ URI: uris, DNS: dns, "IP Address": ips, email: emails })[match[1] as "URI"].push(value);
  }
  return { uris, dns, ips, emails };
}

export type CompiledStringMatch = (value: string) => boolean;

export function compileStringMatch(match: StringMatch): CompiledStringMatch {
  const wanted = match.ignoreCase ? match.value.toLowerCase() : match.value;
  const fold = match.ignoreCase ? (value: string) => value.toLowerCase() : (value: string) => value;
  switch (match.kind) {
    case "exact":
      return (value) => fold(value) === wanted;
    case "prefix":
      return (value) => fold(value).startsWith(wanted);
    case "suffix":
      return (value) => fold(value).endsWith(wanted);
    case "contains":
      return (value) => fold(value).includes(wanted);
    case "regex": {
      const regex = compileRegex(match.value);
      return (value) => regex(value);
    }
  }
}

/** True when no names are asked for, or one of the certificate's names matches. */
export function compileSanMatches(matches: readonly SanMatch[]): (names: SubjectAltNames) => boolean {
  if (matches.length === 0) return () => true;
  const compiled = matches.map((each) => ({ type: each.type, test: compileStringMatch(each.match) }));
  return (names) =>
    compiled.some(({ type, test }) => {
      if (type === "uri" || type === "any") if (names.uris.some(test)) return true;
      if (type === "dns" || type === "any") if (names.dns.some(test)) return true;
      if (type === "ip" || type === "any") if (names.ips.some(test)) return true;
      return (type === "email" || type === "any") && names.emails.some(test);
    });
}
