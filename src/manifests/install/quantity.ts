// Amounts of CPU and memory as Kubernetes writes them. The API server stores one spelling of each; printing that one,
// an installation that is applied again is unchanged.

const DECIMAL = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"] as const;
const BINARY = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"] as const;
const QUANTITY = /^(\d+(?:\.\d*)?|\.\d+)(?:[eE](\d{1,2})|([numkMGTPE]|[KMGTPE]i)?)$/;
/** Of the smallest amount that can be written. */
const NANO = 1_000_000_000n;

/** In billionths; undefined for what is no quantity. */
export function parseQuantity(text: string): bigint | undefined {
  const match = QUANTITY.exec(text);
  if (match === null) return undefined;
  const [, digits = "", exponent, suffix = ""] = match;
  const [whole = "", fraction = ""] = digits.split(".");
  const isBinary = suffix.endsWith("i");
  const factor = isBinary
    ? NANO * 1024n ** BigInt(BINARY.indexOf(suffix as "Ki"))
    : 10n ** BigInt(DECIMAL.indexOf((exponent === undefined ? suffix : "") as "k") * 3 + Number(exponent ?? 0));
  return (BigInt(whole + fraction) * factor) / 10n ** BigInt(fraction.length);
}

/** The API server's spelling: the largest suffix without a fraction, binary ones staying binary. */
export function canonicalQuantity(text: string): string {
  const amount = parseQuantity(text);
  if (amount === undefined || amount === 0n) return amount === undefined ? text : "0";
  const isBinary = text.endsWith("i") && amount % NANO === 0n;
  if (isBinary) {
    const power = BINARY.findLastIndex((_, index) => amount % (NANO * 1024n ** BigInt(index)) === 0n);
    return `${amount / (NANO * 1024n ** BigInt(power))}${BINARY[power]}`;
  }
  const power = DECIMAL.findLastIndex((_, index) => amount % 1000n ** BigInt(index) === 0n);
  return `${amount / 1000n ** BigInt(power)}${DECIMAL[power]}`;
}
