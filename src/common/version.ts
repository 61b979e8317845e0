// The version, written into the bundle when it is built; `dev` when run from source by the tests.
export const VERSION: string = process.env.MESHCTL_VERSION ?? "dev";

/** https://semver.org, without build metadata, which orders nothing. */
const SEMANTIC = /^v?(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+.*)?$/;

/** Negative when `a` is older, positive when it is newer; undefined when one of them is no semantic version. */
export function compareVersions(a: string, b: string): number | undefined {
  const [one, other] = [SEMANTIC.exec(a), SEMANTIC.exec(b)];
  if (one === null || other === null) return undefined;
  for (const part of [1, 2, 3]) {
    const difference = Number(one[part]) - Number(other[part]);
    if (difference !== 0) return difference;
  }
  return comparePreReleases(one[4], other[4]);
}

/** Semantic Versioning 2.0.0, item 11. */
function comparePreReleases(a: string | undefined, b: string | undefined): number {
  if (a === undefined || b === undefined) return (a === undefined ? 1 : 0) - (b === undefined ? 1 : 0);
  const [ones, others] = [a.split("."), b.split(".")];
  for (const [index, one] of ones.entries()) {
    const other = others[index];
    if (other === undefined) return 1;
    if (one === other) continue;
    const [isNumber, isOtherNumber] = [/^\d+$/.test(one), /^\d+$/.test(other)];
    if (isNumber && isOtherNumber) return Number(one) - Number(other);
    if (isNumber !== isOtherNumber) return isNumber ? -1 : 1;
    return one < other ? -1 : 1;
  }
  return ones.length - others.length;
}
