import { existsSync, openSync, readSync, statSync, closeSync } from "node:fs";
import type { CommandContext } from "../../cli/command.ts";
import { selectPod } from "../../cli/local-mesh.ts";
import { USAGE_EXIT_CODE, UserError } from "../../common/user-error.ts";
import { chooseContainer } from "./container-choice.ts";

const CHUNK = 64 << 10;
const FOLLOW_MS = 100;

export async function run(context: CommandContext): Promise<void> {
  const { tail, previous, follow } = context.options;
  if (Number.isNaN(tail)) throw new UserError("--tail wants a number of lines", undefined, USAGE_EXIT_CODE);
  if (previous === true && follow === true)
    throw new UserError("--previous and --follow exclude each other", "the previous run writes no more", USAGE_EXIT_CODE);
  const { mesh, pod } = selectPod(context, context.args[0] ?? "");
  const container = chooseContainer(context, pod);
  const path = previous === true ? container.previousLogPath : container.logPath;
  if (!existsSync(path)) {
    const what = previous === true ? "has not been restarted" : "has not been started";
    throw new UserError(`container ${container.name} of pod ${pod.name}.${pod.namespace} ${what}`, "see meshctl local status");
  }
  let offset = typeof tail === "number" ? tailOffset(path, tail) : 0;
  offset = copyFrom(path, offset, context);
  if (follow === true) await followFile(path, offset, mesh.folder, context);
}

/** Where the last lines begin. */
function tailOffset(path: string, lines: number): number {
  const fd = openSync(path, "r");
  const buffer = Buffer.alloc(CHUNK);
  let end = statSync(path).size;
  let missing = lines;
  let isLast = true;
  while (end > 0) {
    const start = Math.max(0, end - CHUNK);
    const length = readSync(fd, buffer, 0, end - start, start);
    for (let at = length - 1; at >= 0; at--) {
      // The line feed that ends the file ends its last line; it separates nothing.
      if (buffer[at] === 10 && !(isLast && start + at === end - 1) && missing-- <= 1) {
        closeSync(fd);
        return start + at + 1;
      }
      isLast = false;
    }
    end = start;
  }
  closeSync(fd);
  return lines === 0 ? statSync(path).size : 0;
}

function copyFrom(path: string, from: number, context: CommandContext): number {
  const fd = openSync(path, "r");
  const buffer = Buffer.alloc(CHUNK);
  let offset = from;
  for (let length = readSync(fd, buffer, 0, CHUNK, offset); length > 0; length = readSync(fd, buffer, 0, CHUNK, offset)) {
    context.stdout.write(Buffer.from(buffer.subarray(0, length)));
    offset += length;
  }
  closeSync(fd);
  return offset;
}

/** Until the container's pod or its mesh is gone. A restarted container goes on in a new file of the same name. */
async function followFile(path: string, from: number, folder: string, context: CommandContext): Promise<void> {
  let offset = from;
  let inode = statSync(path).ino;
  while (existsSync(folder)) {
    if (!existsSync(path)) return;
    const stat = statSync(path);
    if (stat.ino !== inode || stat.size < offset) {
      inode = stat.ino;
      offset = 0;
    }
    if (stat.size > offset) offset = copyFrom(path, offset, context);
    await new Promise((resolve) => setTimeout(resolve, FOLLOW_MS));
  }
}
