// A conversation over one HTTP/2 connection as data. Each line begins with who acts:
//
//   > FRAME       the test sends it
//   < FRAME       the connection under test sends it; DATA of one stream in a row counts as one frame
//   < closed      it has ended its half, or closed
//   ! GET /x      (client under test) it is given a request
//   = TEXT        what the application, or the one who asked, has been told
//
// Lines of `>` in a row are sent together, and cut as a network might. A script that doesn't end in `< closed` is followed
// by a PING, whose answer must be the next frame: nothing else was sent, and the connection goes on.
import assert from "node:assert/strict";
import { cutRandomly } from "../cuts.ts";
import { toBytes } from "./frame-notation.ts";

export interface ScriptPeer {
  /** Everything that the connection has sent, without what each connection begins with. */
  readonly lines: readonly string[];
  readonly isClosed: boolean;
  /** What the application, or the one who asked, has been told. */
  readonly told: readonly string[];
  write(bytes: Buffer): Promise<void>;
  /** Gives the client under test a request. */
  ask(request: string): void;
  /** Resolves when the predicate holds, or nothing will come any more. */
  until(predicate: () => boolean): Promise<void>;
}

export type Cut = (bytes: Buffer) => readonly Buffer[];

export function cutsOf(random: () => number): Readonly<Record<string, Cut>> {
  return {
    whole: (bytes) => [bytes],
    "byte by byte": (bytes) => (bytes.length > SLOW_BYTES ? [bytes] : Array.from(bytes, (_, index) => bytes.subarray(index, index + 1))),
    "cut at random": (bytes) => cutRandomly(bytes, random),
  };
}

const SLOW_BYTES = 4096;
const LAST_PING = `PING("the end.")`;
const CLOSED = "closed";

export async function play(peer: ScriptPeer, script: string, cut: Cut): Promise<void> {
  const steps = script
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => ({ who: line[0]!, text: unescape(line.slice(2)) }));
  const endsClosed = steps.some(({ who, text }) => who === "<" && text === CLOSED);
  if (!endsClosed) steps.push({ who: ">", text: LAST_PING }, { who: "<", text: LAST_PING.replace("(", "(ACK, ") });
  const sent: string[] = [];
  const told: string[] = [];
  let pending: Buffer[] = [];
  for (const [index, { who, text }] of steps.entries()) {
    if (who === ">") {
      pending.push(toBytes(text));
      if (steps[index + 1]?.who === ">") continue;
      for (const piece of cut(Buffer.concat(pending))) {
        if (peer.isClosed) break;
        await peer.write(piece);
      }
      pending = [];
    } else if (who === "!") peer.ask(text);
    else if (who === "=") {
      told.push(text);
      await peer.until(() => peer.told.length >= told.length);
      assert.deepEqual(
        peer.told.map((each) => each.trim()),
        told,
      );
    } else if (who === "<" && text === CLOSED) {
      await peer.until(() => peer.isClosed);
      assert.ok(peer.isClosed, `the connection goes on after ${peer.lines.join("\n")}`);
      assert.deepEqual(joined(peer.lines), joined(sent));
    } else if (who === "<") {
      sent.push(text);
      if (steps[index + 1]?.who === "<") continue;
      await peer.until(() => joined(peer.lines).join("\n") === joined(sent).join("\n"));
      assert.deepEqual(joined(peer.lines), joined(sent));
    } else throw new Error(`what is ${who} ${text}?`);
  }
}

/** Frames of DATA in a row as one. */
function joined(lines: readonly string[]): string[] {
  const all: { line: string; stream?: string; flags?: string; text?: string; bytes?: number }[] = [];
  for (const line of lines) {
    const data = /^DATA\((\d+), (\w+), (?:"([^]*)"|(\d+) bytes)\)$/.exec(line);
    if (data === null) {
      all.push({ line });
      continue;
    }
    const [, stream, flags, text, count] = data as unknown as [string, string, string, string | undefined, string | undefined];
    const bytes = text?.length ?? Number(count);
    const last = all.at(-1);
    if (last?.stream === stream && last.flags === "0") {
      last.flags = flags;
      last.text = (last.text ?? "x".repeat(last.bytes!)) + (text ?? "x".repeat(bytes));
      last.bytes! += bytes;
    } else all.push({ line, stream, flags, text, bytes });
  }
  return all.map((each) => {
    if (each.stream === undefined) return each.line;
    const content = each.bytes! > 60 ? `${each.bytes} bytes` : `"${each.text ?? "x".repeat(each.bytes!)}"`;
    return `DATA(${each.stream}, ${each.flags}, ${content})`;
  });
}

/** `\0`, `\r`, `\n`, `\t` and `\xff` stand for bytes. */
function unescape(text: string): string {
  return text.replace(/\\(?:x([0-9a-f]{2})|([0rnt\\]))/g, (_, hex: string | undefined, letter: string) =>
    hex === undefined ? { "0": "\0", r: "\r", n: "\n", t: "\t", "\\": "\\" }[letter]! : String.fromCharCode(parseInt(hex, 16)),
  );
}
