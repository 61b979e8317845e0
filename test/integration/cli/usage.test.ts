// What --help says of every command, and what a mistyped command line is answered with.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import type { Command } from "../../../src/cli/command.ts";
import { COMMANDS } from "../../../src/commands/index.ts";
import { runMeshctl } from "../../support/run-meshctl.ts";

interface Entry {
  /** Words behind `meshctl`. */
  readonly path: readonly string[];
  readonly command: Command;
}

function entriesOf(command: Command, above: readonly string[] = []): Entry[] {
  const path = [...above, command.name];
  return [{ path, command }, ...(command.subcommands ?? []).flatMap((sub) => entriesOf(sub, path))];
}

const TOP = COMMANDS.flatMap((group) => group.commands);
const ENTRIES = TOP.filter((each) => !each.name.startsWith("local-")).flatMap((each) => entriesOf(each));

describe("--help", { concurrency: 2 }, () => {
  for (const { path, command } of [{ path: [], command: undefined }, ...ENTRIES]) {
    test(`of meshctl ${path.join(" ")} fits 80 columns and names every flag`, async () => {
      const { code, stdout, stderr } = await runMeshctl([...path, "--help"]);
      assert.deepEqual([code, stderr], [0, ""]);
      assert.deepEqual(
        stdout.split("\n").filter((line) => line.length > 80),
        [],
      );
      for (const flag of command?.flags ?? []) if (flag.hidden !== true) assert.ok(stdout.includes(flag.flags), flag.flags);
      assert.doesNotMatch(stdout, /default: (false|")|\(default: [^)]*\)\s+\(default/);
    });
  }

  test("gives every command a summary of one line that begins with a capital and has no full stop", () => {
    for (const { path, command } of ENTRIES) assert.match(command.summary, /^[A-Z][^\n]{3,70}[^.\n]$/, path.join(" "));
  });

  test("has only examples that name commands and flags there are", () => {
    for (const { path, command } of ENTRIES) for (const example of command.examples ?? []) checkExample(example, path.join(" "));
  });

  test("is also what `meshctl help <command>` prints", async () => {
    assert.equal((await runMeshctl(["help", "stats"])).stdout, (await runMeshctl(["stats", "--help"])).stdout);
  });
});

/** Up to a `--`, a pipe, or the blanks before a remark. */
function checkExample(example: string, where: string): void {
  const [program, ...words] = example
    .replace(/\s{3,}.*$/, "")
    .split(/ (?:--|\|) /, 1)[0]!
    .split(/\s+/);
  assert.equal(program, "meshctl", where);
  let within: readonly Command[] = TOP;
  let command: Command | undefined;
  for (const word of words) {
    const next = within.find((each) => each.name === word || each.aliases?.includes(word));
    if (next === undefined) break;
    command = next;
    within = next.subcommands ?? [];
  }
  assert.ok(command !== undefined, `${where}: ${example}`);
  for (const word of words.filter((each) => /^-{1,2}[a-z]/.test(each))) {
    const flag = word.split("=", 1)[0]!;
    const known = (command.flags ?? []).some((each) => each.flags.split(/[ ,]+/).includes(flag));
    assert.ok(known, `${where}: ${example}: ${flag}`);
  }
}

describe("a mistyped command line ends with 64 and one message for", { concurrency: 2 }, () => {
  for (const [what, args, message, see] of [
    ["an unknown command", ["locl"], "unknown command 'locl'\n  did you mean local?", "meshctl"],
    ["an unknown subcommand", ["local", "stat"], "unknown command 'stat'\n  did you mean status?", "meshctl local"],
    ["an unknown flag", ["local", "up", "--detatch"], "unknown option '--detatch'\n  did you mean --detach?", "meshctl local up"],
    ["a flag without its value", ["local", "up", "-f"], "option '-f, --file <path>' argument missing", "meshctl local up"],
    ["a missing argument", ["stats"], "missing required argument 'workload'", "meshctl stats"],
    ["a word too many", ["version", "now"], "too many arguments for 'version'. Expected 0 arguments but got 1: now", "meshctl version"],
  ] as const) {
    test(what, async () => {
      const { code, stdout, stderr } = await runMeshctl(args);
      assert.deepEqual([code, stdout, stderr], [64, "", `meshctl: ${message}\n  see ${see} --help\n`]);
    });
  }

  for (const [what, args, message] of [
    [
      "a flag of the sidecar beside a bootstrap",
      ["proxy", "-b", "x.yaml", "--domain", "a.svc.cluster.local"],
      /^meshctl: --domain means nothing with --bootstrap\n/,
    ],
    [
      "the sidecar's role beside a bootstrap",
      ["proxy", "sidecar", "-b", "x.yaml"],
      /^meshctl: the role sidecar means nothing with --bootstrap\n/,
    ],
    ["--check without a file", ["proxy", "--check"], /^meshctl: --check needs --bootstrap\n/],
    [
      "a drain time that is none",
      ["proxy", "-b", "x.yaml", "--drain-time", "long"],
      /^meshctl: --drain-time wants a duration up to 24h, not "long"\n/,
    ],
    ["proof asked of a dry run", ["init", "--dry-run", "--verify"], /^meshctl: --dry-run and --verify exclude each other\n/],
    [
      "proof asked of a cleanup",
      ["init", "--cleanup", "--run-validation"],
      /^meshctl: --cleanup and --run-validation exclude each other\n/,
    ],
    [
      "a window of what isn't watched",
      ["stats", "x", "--since-start", "-w", "1s"],
      /^meshctl: --window and --since-start exclude each other\n/,
    ],
    ["a window of raw statistics", ["stats", "x", "--raw", "-w", "1s"], /^meshctl: --window and --raw exclude each other\n/],
    ["columns of a table that isn't shown", ["ps", "web", "-v", "0"], /^meshctl: --verbosity is for the table of all sidecars\n/],
    [
      "a cluster that is not to be asked",
      ["install", "--offline", "--context", "kind"],
      /^meshctl: --context and --offline contradict each other\n/,
    ],
    ["a health status that is none", ["pc", "ep", "x", "--status", "ill"], /^meshctl: --status wants one of HEALTHY, /],
  ] as const) {
    test(what, async () => {
      const { code, stdout, stderr } = await runMeshctl(args);
      assert.deepEqual([code, stdout], [64, ""]);
      assert.match(stderr, message);
    });
  }
});

describe("the local mesh is named", { concurrency: 2 }, () => {
  for (const args of [
    ["stats", "x", "--mesh"],
    ["stats", "x", "--name"],
    ["local", "logs", "x", "--mesh"],
    ["pc", "cluster", "x", "--mesh"],
    ["pc", "route", "x", "--name", "8080", "--mesh"],
  ]) {
    test(`by meshctl ${args.join(" ")}`, async () => {
      const { code, stderr } = await runMeshctl([...args, "no-such-mesh"]);
      assert.equal(code, 1);
      assert.match(stderr, /^meshctl: no local mesh named no-such-mesh is running\n/);
    });
  }
});

describe("meshctl proxy --bootstrap", () => {
  const folder = mkdtempSync(join(tmpdir(), "meshctl-usage-"));
  after(() => rmSync(folder, { recursive: true, force: true }));

  test("whose port is taken says so, and never that it is live", async () => {
    const taken = createServer().listen(0, "127.0.0.1");
    await once(taken, "listening");
    try {
      const { port } = taken.address() as AddressInfo;
      const file = join(folder, "proxy.yaml");
      for (const [text, message] of [
        [bootstrapOn(port), "listener l can't bind ADDRESS: the port is in use"],
        [`admin: { address: ${addressOn(port)} }\n${bootstrapOn(0)}`, "admin port ADDRESS is in use by another process"],
      ] as const) {
        writeFileSync(file, text);
        const { code, stderr } = await runMeshctl(["proxy", "-b", file]);
        const [said, hint, ...more] = stderr.trimEnd().split("\n");
        assert.deepEqual([code, said, more], [1, `meshctl: ${message.replace("ADDRESS", `127.0.0.1:${port}`)}`, []]);
        assert.match(hint!, /^ {2}\S/);
      }
    } finally {
      taken.close();
    }
  });
});

function addressOn(port: number): string {
  return `{ socket_address: { address: 127.0.0.1, port_value: ${port} } }`;
}

function bootstrapOn(port: number): string {
  return `static_resources:
  listeners:
    - name: l
      address: ${addressOn(port)}
      filter_chains:
        - filters:
            - name: envoy.filters.network.tcp_proxy
              typed_config:
                "@type": type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy
                stat_prefix: t
                cluster: c
  clusters:
    - { name: c, type: STATIC }
`;
}
