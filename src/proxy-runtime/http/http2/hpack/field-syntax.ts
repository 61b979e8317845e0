// What names and values of HTTP/2 may be (RFC 9113 §8.2.1, §8.3), checked once per literal.
import { HeaderId, UNKNOWN } from "../../header-id.ts";

const SP = 32;
const HT = 9;

// field-vchar, SP, HT and obs-text (RFC 9110 §5.5), as in HTTP/1.
const BAD_BYTE = new Uint8Array(256).fill(1, 0, 0x20);
BAD_BYTE[HT] = 0;
BAD_BYTE[0x7f] = 1;

/** A value with a forbidden byte, or blanks at an end. */
export function isMalformedValue(bytes: Uint8Array, start: number, end: number): boolean {
  if (start === end) return false;
  const first = bytes[start]!;
  const last = bytes[end - 1]!;
  if (first === SP || first === HT || last === SP || last === HT) return true;
  // Hardly any value is bad: without a branch for each byte the loop takes a fifth less.
  let bad = 0;
  for (let at = start; at < end; at += 1) bad |= BAD_BYTE[bytes[at]!]!;
  return bad !== 0;
}

const PSEUDO_IDS = new Map<string, number>();
for (const name of [":method", ":path", ":scheme", ":authority", ":status", ":protocol"] as const) PSEUDO_IDS.set(name, HeaderId[name]);
const MESH_PSEUDO_IDS = new Map(PSEUDO_IDS);
for (const name of [":version", ":target", ":reason"] as const) MESH_PSEUDO_IDS.set(name, HeaderId[name]);

/** Id of a name that begins with a colon; UNKNOWN where RFC 9113 §8.3 calls it malformed. */
export function pseudoHeaderId(name: string, isMesh: boolean): number {
  return (isMesh ? MESH_PSEUDO_IDS : PSEUDO_IDS).get(name) ?? UNKNOWN;
}

/** The same for a name that is text already. */
export function isMalformedName(name: string, isMesh: boolean): boolean {
  return !(isMesh ? /^[\w!#$%&'*+.^`|~-]+$/ : /^[a-z\d_!#$%&'*+.^`|~-]+$/).test(name) && pseudoHeaderId(name, isMesh) === UNKNOWN;
}
