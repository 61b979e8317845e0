// Work that takes a while: a spinner on a terminal, a plain line elsewhere. Always on standard error, so that standard
// output stays what was asked for.
import type { CommandContext } from "./command.ts";

export interface Progress {
  /** Replaces the text on a terminal; elsewhere prints it once as a line of its own. */
  update(text: string): void;
  succeed(text: string): void;
  fail(text: string): void;
  /** Ends without a trace on a terminal. */
  stop(): void;
}

type Stream = CommandContext["stderr"];

export interface ProgressOptions {
  /** Print nothing at all where there is no terminal: for waits that are only worth watching. */
  readonly quiet?: boolean;
}

/** A terminal that text can be redrawn on. One without a width (`script`, some CI) makes ora count lines without end. */
export function isLive(stream: Stream): boolean {
  return stream.isTTY === true && ((stream as Partial<NodeJS.WriteStream>).columns ?? 0) > 0;
}

export async function startProgress(stream: Stream, text: string, options: ProgressOptions = {}): Promise<Progress> {
  if (!isLive(stream)) return plainProgress(stream, text, options.quiet === true);
  const { default: ora } = await import("ora");
  // ora knows nothing of NO_COLOR; Node does, and of terminals without colour.
  const color = (stream as Partial<NodeJS.WriteStream>).hasColors?.() === true ? "cyan" : false;
  // Ctrl-C belongs to the command: ora would otherwise take the terminal's input.
  const spinner = ora({ text, stream, color, discardStdin: false, hideCursor: true }).start();
  return {
    update: (next) => void (spinner.text = next),
    succeed: (last) => void spinner.succeed(last),
    fail: (last) => void spinner.fail(last),
    stop: () => void spinner.stop(),
  };
}

function plainProgress(stream: Stream, first: string, quiet: boolean): Progress {
  let previous = "";
  const print = (text: string): void => {
    if (text !== previous && text !== "" && !quiet) stream.write(`${text}\n`);
    previous = text;
  };
  print(first);
  return { update: print, succeed: print, fail: print, stop: () => {} };
}
