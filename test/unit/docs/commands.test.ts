// Every meshctl command that a page or an example of --help shows is one that there is, with flags that it has.
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, test } from "node:test";
import type { Command } from "../../../src/cli/command.ts";
import { COMMANDS } from "../../../src/commands/index.ts";

const ROOT = resolve(import.meta.dirname, "../../..");
const PAGES = globSync(["*.md", "docs/**/*.md"], { cwd: ROOT }).sort();
const TOP: Command = {
  name: "meshctl",
  summary: "",
  flags: [{ flags: "--version", description: "" }],
  subcommands: COMMANDS.flatMap((group) => group.commands),
};

function flagsOf(command: Command): Set<string> {
  const own = (command.flags ?? []).flatMap(({ flags }) => flags.match(/(?<![\w-])--?[a-zA-Z][\w-]*/g) ?? []);
  return new Set([...own, "-h", "--help"]);
}

function subcommand(command: Command, word: string): Command | undefined {
  return command.subcommands?.find(({ name, aliases = [] }) => name === word || aliases.includes(word));
}

/** What is wrong with this call; undefined when nothing is. Words with a place-holder's signs end what can be told. */
function problemOf(call: string): string | undefined {
  let command = TOP;
  for (const word of call.trim().split(/\s+/)) {
    if (word === "--" || /[…<]/.test(word)) return undefined;
    const flag = /^(--?[a-zA-Z][\w-]*)/.exec(word)?.[1];
    if (flag !== undefined) {
      if (!flagsOf(command).has(flag)) return `${command.name} has no ${flag}: ${call}`;
      continue;
    }
    const inner = subcommand(command, word);
    if (inner !== undefined) command = inner;
    else if (command.subcommands !== undefined && command.load === undefined && /^[a-z-]+$/.test(word))
      return `${command.name} has no ${word}: ${call}`;
  }
  return undefined;
}

/** The calls in a line of a terminal, without what is piped, redirected or said behind them. */
function callsIn(line: string): string[] {
  return [...line.matchAll(/(?<![\w/.-])(?:bin\/)?meshctl ((?:'[^']*'|"[^"]*"|[^|>#;)'"\n])*)/g)].map((match) =>
    match[1]!.replace(/'[^']*'|"[^"]*"/g, "…quoted").replaceAll("…quoted", "quoted"),
  );
}

/** Blocks of code, fenced or indented, and code spans that begin with meshctl. */
function codeOf(page: string): string[] {
  const text = readFileSync(join(ROOT, page), "utf8").replaceAll("\\\n", " ");
  const blocks = text.split("\n").filter((line) => /^(?: {4}|\t)\s*(?:\$ )?(?:bin\/)?meshctl |^ {4}.*\| meshctl /.test(line));
  const spans = [...text.matchAll(/`(meshctl [^`]+)`/g)].map((match) => match[1]!.replaceAll("\n", " ").replaceAll("\\|", "…"));
  return [...blocks, ...spans];
}

function examplesOf(command: Command): string[] {
  return [...(command.examples ?? []).map((each) => each.split(/ {2,}/)[0]!), ...(command.subcommands ?? []).flatMap(examplesOf)];
}

describe("a command that is shown", () => {
  for (const page of PAGES) {
    test(`in ${page} is one that there is`, () => {
      assert.deepEqual(
        codeOf(page)
          .flatMap(callsIn)
          .map(problemOf)
          .filter((each) => each !== undefined),
        [],
      );
    });
  }

  test("as an example of --help is one that there is", () => {
    const calls = examplesOf(TOP).flatMap(callsIn);
    assert.ok(calls.length > 20);
    assert.deepEqual(
      calls.map(problemOf).filter((each) => each !== undefined),
      [],
    );
  });

  test("is found wrong by a flag or a command that there isn't", () => {
    assert.match(problemOf("local up --detached") ?? "", /up has no --detached/);
    assert.match(problemOf("local upp") ?? "", /local has no upp/);
    assert.equal(problemOf("local exec frontend -- curl -si http://checkout/"), undefined);
  });
});
