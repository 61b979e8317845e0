// Progress on terminals, with colour and without.
import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { test } from "node:test";
import { isLive, startProgress } from "../../../src/cli/progress.ts";

// chalk, which ora colours by, asks this process's own standard output otherwise.
process.env["FORCE_COLOR"] = "1";
// And ora draws nothing where it takes itself to be in CI.
delete process.env["CI"];

test("redraws only on a terminal that has a width", () => {
  const stream = (isTTY: boolean, columns?: number) => ({ isTTY, columns }) as unknown as Parameters<typeof isLive>[0];
  assert.equal(isLive(stream(true, 80)), true);
  assert.equal(isLive(stream(true, 0)), false);
  assert.equal(isLive(stream(true)), false);
  assert.equal(isLive(stream(false, 80)), false);
});

/** As much of a terminal as a spinner asks for. */
class Terminal extends Writable {
  readonly isTTY = true;
  readonly columns = 80;
  readonly #hasColours: boolean;
  text = "";

  constructor(hasColours: boolean) {
    super();
    this.#hasColours = hasColours;
  }

  hasColors(): boolean {
    return this.#hasColours;
  }

  cursorTo(): void {}
  clearLine(): void {}
  moveCursor(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

test("colours the spinner only where the terminal, or NO_COLOR, lets it", async () => {
  const texts = await Promise.all(
    [true, false].map(async (hasColours) => {
      const terminal = new Terminal(hasColours);
      (await startProgress(terminal, "checking")).stop();
      return terminal.text;
    }),
  );
  assert.deepEqual(
    texts.map((each) => [each.includes("checking"), each.includes("\x1b[36m")]),
    [
      [true, true],
      [true, false],
    ],
  );
});
