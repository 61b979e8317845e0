// HPACK's static table (RFC 7541 Appendix A), as the fields themselves: a message that names one gets the very object.
import { HeaderField } from "../../header-field.ts";
import { headerIdOf } from "../../header-id.ts";

// Name, then its values; one entry per value.
const ROWS: readonly (readonly [name: string, ...values: string[]])[] = [
  [":authority", ""],
  [":method", "GET", "POST"],
  [":path", "/", "/index.html"],
  [":scheme", "http", "https"],
  [":status", "200", "204", "206", "304", "400", "404", "500"],
  ["accept-charset", ""],
  ["accept-encoding", "gzip, deflate"],
  ["accept-language", ""],
  ["accept-ranges", ""],
  ["accept", ""],
  ["access-control-allow-origin", ""],
  ["age", ""],
  ["allow", ""],
  ["authorization", ""],
  ["cache-control", ""],
  ["content-disposition", ""],
  ["content-encoding", ""],
  ["content-language", ""],
  ["content-length", ""],
  ["content-location", ""],
  ["content-range", ""],
  ["content-type", ""],
  ["cookie", ""],
  ["date", ""],
  ["etag", ""],
  ["expect", ""],
  ["expires", ""],
  ["from", ""],
  ["host", ""],
  ["if-match", ""],
  ["if-modified-since", ""],
  ["if-none-match", ""],
  ["if-range", ""],
  ["if-unmodified-since", ""],
  ["last-modified", ""],
  ["link", ""],
  ["location", ""],
  ["max-forwards", ""],
  ["proxy-authenticate", ""],
  ["proxy-authorization", ""],
  ["range", ""],
  ["referer", ""],
  ["refresh", ""],
  ["retry-after", ""],
  ["server", ""],
  ["set-cookie", ""],
  ["strict-transport-security", ""],
  ["transfer-encoding", ""],
  ["user-agent", ""],
  ["vary", ""],
  ["via", ""],
  ["www-authenticate", ""],
];

/** By index, from 1. Index 0 means no entry. */
export const STATIC_FIELDS: readonly (HeaderField | undefined)[] = [
  undefined,
  ...ROWS.flatMap(([name, ...values]) => values.map((value) => new HeaderField(headerIdOf(name), name, value))),
];

/** Entries of the static table; the dynamic one counts on from here (RFC 7541 §2.3.3). */
export const STATIC_COUNT = STATIC_FIELDS.length - 1;

/** Lowest index of a name. */
export const STATIC_NAME_INDEX: ReadonlyMap<string, number> = new Map(
  STATIC_FIELDS.flatMap((field, index) => (field === undefined ? [] : [[field.name, index] as const])).reverse(),
);
