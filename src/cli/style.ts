// Colour, only on a terminal and never with NO_COLOR (https://no-color.org). Words carry the meaning; colour repeats it.
import { Chalk, type ChalkInstance } from "chalk";
import type { CommandContext } from "./command.ts";

type Stream = CommandContext["stdout"];

/** A chalk that colours what goes to `stream`, or leaves it plain. */
export function styleFor(stream: Stream, env: CommandContext["env"]): ChalkInstance {
  return new Chalk({ level: hasColour(stream, env) ? 1 : 0 });
}

export function hasColour(stream: Stream, env: CommandContext["env"]): boolean {
  if (env["NO_COLOR"] !== undefined && env["NO_COLOR"] !== "") return false;
  return stream.isTTY === true && env["TERM"] !== "dumb";
}
