// -f FILE, where `-` is standard input.
import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { describeFileError } from "../common/file-error.ts";
import { UserError } from "../common/user-error.ts";

/** @throws UserError that names the file and why it can't be read. */
export async function readInput(path: string): Promise<string> {
  if (path === "-") return text(process.stdin);
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new UserError(`can't read ${path}: ${describeFileError(error)}`, "give a file, or - for standard input");
  }
}
