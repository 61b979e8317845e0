// The `grpc-timeout` header: how long a call's client is going to wait, counted from when it was sent.

const FORMAT = /^(\d{1,8})([HMSmun])$/;
const UNIT_NS: Readonly<Record<string, number>> = { H: 3.6e12, M: 6e10, S: 1e9, m: 1e6, u: 1e3, n: 1 };
const MAX_VALUE = 99_999_999;

/** Milliseconds, rounded up; undefined for anything but digits and a unit, which Envoy ignores too. */
export function parseGrpcTimeout(text: string): number | undefined {
  const match = FORMAT.exec(text);
  return match === null ? undefined : Math.ceil((Number(match[1]) * UNIT_NS[match[2]!]!) / 1e6);
}

/** In the finest unit, from milliseconds up, that eight digits allow. */
export function formatGrpcTimeout(timeoutMs: number): string {
  for (const unit of ["m", "S", "M"]) {
    const value = Math.floor((timeoutMs * 1e6) / UNIT_NS[unit]!);
    if (value <= MAX_VALUE) return `${value}${unit}`;
  }
  return `${Math.min(MAX_VALUE, Math.floor((timeoutMs * 1e6) / UNIT_NS["H"]!))}H`;
}
