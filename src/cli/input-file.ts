// -f FILE, where `-` is standard input.
import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { UserError } from "../common/user-error.ts";

/** @throws UserError that names the file and why it can't be read. */
export async function readInput(path: string): Promise<string> {
  if (path === "-") return text(process.stdin);
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const reason =
      code === "ENOENT" ? "no such file" : code === "EISDIR" ? "it is a folder" : code === "EACCES" ? "permission denied" : String(code);
    throw new UserError(`cannot read ${path}: ${reason}`, "give a file, or - for standard input");
  }
}
