// Why a file could not be read or written, in words.

/** Of an error by node:fs: `no such file`; for what is rarer, its code. */
export function describeFileError(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  switch (code) {
    case "ENOENT":
    case "ENOTDIR":
      return "no such file";
    case "EISDIR":
      return "it is a folder";
    case "EACCES":
    case "EPERM":
      return "permission denied";
    case "ENOSPC":
    case "EDQUOT":
      return "no space left";
    default:
      return code ?? String(error);
  }
}
