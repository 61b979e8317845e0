// Sets of ports as sorted ranges that neither touch nor overlap; both ends belong to a range.

export interface PortRange {
  readonly first: number;
  readonly last: number;
}

export type PortRanges = readonly PortRange[];

const MAX_PORT = 65535;

export const ALL_PORTS: PortRanges = [{ first: 0, last: MAX_PORT }];

export function includesPort(ranges: PortRanges, port: number): boolean {
  return ranges.some(({ first, last }) => port >= first && port <= last);
}

export function unionOf(sets: readonly PortRanges[]): PortRanges {
  const sorted = sets.flat().sort((a, b) => a.first - b.first);
  const merged: { first: number; last: number }[] = [];
  for (const { first, last } of sorted) {
    const before = merged.at(-1);
    if (before !== undefined && first <= before.last + 1) before.last = Math.max(before.last, last);
    else merged.push({ first, last });
  }
  return merged;
}

export function complementOf(ranges: PortRanges): PortRanges {
  const rest: PortRange[] = [];
  let next = 0;
  for (const { first, last } of ranges) {
    if (first > next) rest.push({ first: next, last: first - 1 });
    next = last + 1;
  }
  if (next <= MAX_PORT) rest.push({ first: next, last: MAX_PORT });
  return rest;
}

export function intersectionOf(sets: readonly PortRanges[]): PortRanges {
  return complementOf(unionOf(sets.map(complementOf)));
}
