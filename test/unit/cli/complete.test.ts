import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Command } from "../../../src/cli/command.ts";
import { completeWords, type Completion } from "../../../src/cli/completion/complete.ts";
import { COMMANDS as REAL } from "../../../src/commands/index.ts";
import { workloadNames } from "../../../src/cli/completion/look-up.ts";

const NAMESPACE = { flags: "-n, --namespace <namespace>", description: "where" };
const COMMANDS: readonly Command[] = [
  {
    name: "show",
    aliases: ["s"],
    summary: "Show things",
    subcommands: [
      {
        name: "one",
        summary: "Show one",
        arguments: [{ name: "<workload>", description: "which" }],
        flags: [
          { flags: "-o, --output <format>", description: "how", choices: ["json", "yaml"] },
          { flags: "--level <level>", description: "how much", suggestions: ["low", "high"] },
          { flags: "--secret", description: "none of yours", hidden: true },
          { flags: "--mesh, --name <mesh>", description: "which mesh" },
          NAMESPACE,
        ],
      },
      { name: "hidden", summary: "Not shown", hidden: true },
    ],
  },
  { name: "put", summary: "Put things", arguments: [{ name: "[files...]", description: "from" }], flags: [] },
];

const complete = (line: string): Completion => completeWords(COMMANDS, line.split(" "));
const values = (line: string): string[] => complete(line).candidates.map((each) => each.value);

describe("what may come next", () => {
  const CASES: readonly (readonly [line: string, ...values: string[]])[] = [
    ["", "show", "put"],
    ["s", "show"],
    ["show ", "one"],
    ["s o", "one"],
    ["show one -", "-o", "--output", "--level", "--mesh", "--name", "-n", "--namespace", "-h", "--help"],
    ["show one --n", "--name", "--namespace"],
    ["show one -o ", "json", "yaml"],
    ["show one --output=", "--output=json", "--output=yaml"],
    ["show one --output=y", "--output=yaml"],
    ["show one --level h", "high"],
    ["show one -n one --", "--output", "--level", "--mesh", "--name", "--namespace", "--help"],
    ["show one -- --"],
  ];
  for (const [line, ...expected] of CASES) {
    test(`after ${JSON.stringify(line)}`, () => assert.deepEqual(values(line), expected));
  }

  for (const line of ["inject ", "inject -f ", "uninject a.yaml ", "install -f ", "controller --ca-dir ", "proxy -b ", "local up -f "]) {
    test(`is a file after meshctl ${line}`, () => {
      const all = REAL.flatMap((each) => each.commands);
      assert.equal(completeWords(all, line.split(" ")).lookup, "file");
    });
  }

  test("is looked up where only others know", () => {
    assert.equal(complete("show one ").lookup, "workload");
    assert.equal(complete("show one web ").lookup, undefined);
    assert.equal(complete("show one web -n ").lookup, "namespace");
    assert.equal(complete("show one --name ").lookup, "mesh");
    assert.deepEqual([complete("show one --namespace=s").lookup, complete("show one --namespace=s").prefix], ["namespace", "--namespace="]);
    assert.equal(complete("put a b ").lookup, "file");
  });

  test("knows the flags that were typed, as the command would", () => {
    const { path, options } = complete("s one -n shop --mesh=m --level low web ");
    assert.deepEqual([path, options], [["show", "one"], { namespace: "shop", name: "m", level: "low" }]);
  });

  test("describes commands and flags", () => {
    assert.deepEqual(complete("p").candidates, [{ value: "put", description: "Put things" }]);
  });
});

describe("names of workloads", () => {
  const pod = (name: string, namespace: string, kind: string, owner: string) => ({
    name,
    namespace,
    ready: true,
    owner: { kind, name: owner },
  });
  const pods = [
    pod("web-1", "shop", "Deployment", "web"),
    pod("web-2", "shop", "Deployment", "web"),
    pod("db-0", "shop", "StatefulSet", "db"),
    pod("mail", "shop", "Pod", "mail"),
    pod("web-9", "blog", "Deployment", "web"),
  ];
  const names = (word: string): string[] => workloadNames(pods, word).map((each) => each.value);

  test("are owners, then pods, with a namespace where they need one", () => {
    assert.deepEqual(names(""), ["web.shop", "db", "web.blog", "web-1", "web-2", "db-0", "mail", "web-9"]);
  });

  test("are of the kind that was typed", () => {
    assert.deepEqual(names("deploy/"), ["deploy/web.shop", "deploy/web.blog"]);
    assert.deepEqual(names("po/m"), ["po/web-1", "po/web-2", "po/db-0", "po/mail", "po/web-9"]);
    assert.deepEqual(names("nonsense/"), []);
  });
});
