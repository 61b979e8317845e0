// strftime for %START_TIME(…)% and %EMIT_TIME(…)%, in UTC, with Envoy's fractions: %f (9 digits), %3f, %6f, %9f, %s.

const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];

type Field = (date: Date) => string;

const two = (value: number): string => String(value).padStart(2, "0");
const dayOfYear = (date: Date): number => Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / 86_400_000) + 1;
const hour12 = (date: Date): number => date.getUTCHours() % 12 || 12;
const clock: Field = (date) => date.toISOString().slice(11, 19);
const millis: Field = (date) => String(date.getUTCMilliseconds()).padStart(3, "0");

const FIELDS: Readonly<Record<string, Field>> = {
  Y: (date) => String(date.getUTCFullYear()),
  y: (date) => two(date.getUTCFullYear() % 100),
  m: (date) => two(date.getUTCMonth() + 1),
  d: (date) => two(date.getUTCDate()),
  e: (date) => String(date.getUTCDate()).padStart(2, " "),
  H: (date) => two(date.getUTCHours()),
  I: (date) => two(hour12(date)),
  M: (date) => two(date.getUTCMinutes()),
  S: (date) => two(date.getUTCSeconds()),
  p: (date) => (date.getUTCHours() < 12 ? "AM" : "PM"),
  j: (date) => String(dayOfYear(date)).padStart(3, "0"),
  a: (date) => DAYS[date.getUTCDay()]!.slice(0, 3),
  A: (date) => DAYS[date.getUTCDay()]!,
  b: (date) => MONTHS[date.getUTCMonth()]!.slice(0, 3),
  B: (date) => MONTHS[date.getUTCMonth()]!,
  F: (date) => date.toISOString().slice(0, 10),
  T: clock,
  s: (date) => String(Math.floor(date.getTime() / 1000)),
  z: () => "+0000",
  Z: () => "UTC",
  // The clock has milliseconds; further digits are zeros.
  "3f": millis,
  "6f": (date) => `${millis(date)}000`,
  "9f": (date) => `${millis(date)}000000`,
  f: (date) => `${millis(date)}000000`,
  n: () => "\n",
  t: () => "\t",
  "%": () => "%",
};

/** Envoy's form without an argument: 2016-04-15T20:17:00.310Z. */
export function isoTime(wallMs: number): string {
  return new Date(wallMs).toISOString();
}

/** A function from ms since the epoch to text, or the conversion that is not known. */
export function compileTimeFormat(format: string): { readonly render: (wallMs: number) => string } | { readonly unknown: string } {
  const parts: (string | Field)[] = [];
  const pattern = /%([369]f|.)|[^%]+|%$/gs;
  for (const [text, conversion] of format.matchAll(pattern)) {
    if (conversion === undefined && text !== "%") parts.push(text);
    else if (conversion !== undefined && Object.hasOwn(FIELDS, conversion)) parts.push(FIELDS[conversion]!);
    else return { unknown: text };
  }
  return {
    render(wallMs) {
      const date = new Date(wallMs);
      return parts.map((part) => (typeof part === "string" ? part : part(date))).join("");
    },
  };
}
