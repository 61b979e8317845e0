// Ways to cut bytes into pieces: as a network would, and worse.

/** Whole, byte by byte, and `times` at seeded random places; each with a name for messages. */
export function* cuts(bytes: Buffer, random: () => number, times = 4): Generator<readonly [name: string, pieces: readonly Buffer[]]> {
  yield ["whole", [bytes]];
  yield ["byte by byte", Array.from(bytes, (_, index) => bytes.subarray(index, index + 1))];
  for (let time = 1; time <= times; time += 1) yield [`random cut ${time}`, cutRandomly(bytes, random)];
}

export function cutRandomly(bytes: Buffer, random: () => number): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length;) {
    // Mostly small pieces, sometimes large ones.
    const size = 1 + Math.floor(random() ** 3 * 60);
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return pieces;
}
