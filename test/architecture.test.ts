// Holds the shape of src/: who imports whom, in which order, no circles, names and sizes. ARCHITECTURE.md tells the reasons.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, test } from "node:test";
import { findCycles, parseSource, readSources } from "./support/import-graph.ts";
import { findEagerImports, findImpurities, whyBadName, whyForbidden } from "./support/import-rules.ts";

const files = readSources(resolve(import.meta.dirname, ".."));
const MAX_LINES = 350;

function assertNone(problems: readonly string[]): void {
  assert.equal(problems.length, 0, `\n${problems.map((each) => `  ${each}`).join("\n")}`);
}

const forbidden = (sources: typeof files): string[] =>
  sources.flatMap(({ path, imports }) =>
    imports.flatMap((each) => {
      const why = whyForbidden(path, each);
      return why === undefined ? [] : [`${path}:${each.line} imports ${each.target}: ${why}`];
    }),
  );

describe("the shape of src/", () => {
  test("is read at all", () => {
    assert.ok(files.length > 20, `only ${files.length} files found`);
    assert.ok(files.some((each) => each.imports.length > 3));
  });

  test("keeps to the import table and to the order inside proxy-runtime", () => assertNone(forbidden(files)));

  test("imports only packages that are installed with meshctl", () => {
    const { dependencies } = JSON.parse(readFileSync(resolve(import.meta.dirname, "../package.json"), "utf8")) as {
      dependencies: Record<string, string>;
    };
    const name = (target: string): string => target.split("/", target.startsWith("@") ? 2 : 1).join("/");
    assertNone(
      files.flatMap(({ path, imports }) =>
        imports
          .filter(({ target, isOurs }) => !isOurs && !target.startsWith("node:") && dependencies[name(target)] === undefined)
          .map(({ target, line }) => `${path}:${line} imports ${target}, which is not among the dependencies of package.json`),
      ),
    );
  });

  test("imports in no circle", () => {
    assertNone(findCycles(files).map((cycle) => `${cycle.join(" → ")}: move what both need into a file that both import`));
  });

  test("has no barrel files", () => {
    assertNone(
      files.flatMap(({ path, reExports }) =>
        reExports.map((line) => `${path}:${line} hands on another file's exports: let the user import that file itself`),
      ),
    );
    assertNone(
      files
        .filter(({ path }) => path.endsWith("/index.ts") && path !== "src/commands/index.ts")
        .map(({ path }) => `${path} is named index.ts`),
    );
  });

  test("loads nothing but the commands' data when meshctl starts", () => assertNone(findEagerImports(files)));

  test("translates without I/O, clock or log", () => {
    const pure = files.filter(({ path }) => path.startsWith("src/control-plane/translate/"));
    assertNone(
      pure.flatMap((file) => findImpurities(file).map((each) => `${file.path}:${each}, but translate/ is a pure function of its input`)),
    );
  });

  test("has names that say what is inside", () => {
    assertNone(
      files.flatMap(({ path }) => {
        const why = whyBadName(path);
        return why === undefined ? [] : [`${path}: ${why}`];
      }),
    );
  });

  test(`has no file of more than ${MAX_LINES} lines`, () => {
    assertNone(
      files.filter(({ lines }) => lines > MAX_LINES).map(({ path, lines }) => `${path} has ${lines} lines: are two state machines in it?`),
    );
  });
});

describe("the architecture test itself", () => {
  const problemsOf = (path: string, text: string): string[] => forbidden([parseSource(path, text)]);

  for (const [path, text, why] of [
    ["src/common/a.ts", 'import "../xds/names.ts";', /src\/common\/ may import nothing of ours/],
    ["src/capture/a.ts", 'import { x } from "../xds/ads-client.ts";', /may import only src\/xds\/names\.ts, src\/common\//],
    ["src/proxy-runtime/router/a.ts", 'import type { X } from "../../control-plane/x.ts";', /src\/proxy-runtime\/ may import only/],
    ["src/proxy-runtime/config/a.ts", 'import { x } from "../http/stream.ts";', /http\/ comes after config\/: the order is failure →/],
    ["src/proxy-runtime/state/a.ts", 'import { x } from "../proxy.ts";', /proxy\.ts composes the folders/],
    ["src/proxy-runtime/novel/a.ts", 'import { x } from "../http/stream.ts";', /novel\/ has no place in the order/],
    ["src/local/a.ts", 'import { x } from "../kube/objects.ts";', /only types from src\/kube\//],
    ["src/cli/a.ts", 'import { x } from "../local/supervisor.ts";', /src\/cli\/ may import only .*src\/local\/run-folder\.ts/],
    ["src/cli/a.ts", 'const x = await import("../commands/index.ts");', /only src\/main\.ts imports commands/],
    ["src/novel/a.ts", 'import { x } from "../common/clock.ts";', /not in the import table/],
    ["src/common/a.ts", 'import { x } from "../../test/support/eventually.ts";', /src\/ stands alone/],
  ] as const) {
    test(`finds fault with ${path} that has ${text}`, () => {
      const [problem = "nothing", ...more] = problemsOf(path, text);
      assert.match(problem, why);
      assert.ok(problem.startsWith(`${path}:1 imports `), problem);
      assert.deepEqual(more, []);
    });
  }

  test("finds nothing wrong with what the table allows", () => {
    assert.deepEqual(
      problemsOf("src/local/a.ts", 'import type { Pod } from "../kube/objects.ts"; import { type Y } from "../kube/objects.ts";'),
      [],
    );
    assert.deepEqual(
      problemsOf("src/proxy-runtime/http/a.ts", 'import { x } from "../transport/x.ts"; import { y } from "./http1/y.ts";'),
      [],
    );
    assert.deepEqual(problemsOf("src/proxy-runtime/proxy.ts", 'import { x } from "./admin/x.ts";'), []);
    assert.deepEqual(problemsOf("src/commands/plane/proxy-run.ts", 'import { x } from "../../proxy-runtime/proxy.ts";'), []);
  });

  test("finds circles, also of types alone, and lets a dynamic import close one", () => {
    const a = parseSource("src/common/a.ts", 'import type { B } from "./b.ts";');
    const b = parseSource("src/common/b.ts", 'import { a } from "./a.ts";');
    assert.deepEqual(findCycles([a, b]), [["src/common/a.ts", "src/common/b.ts", "src/common/a.ts"]]);
    assert.deepEqual(findCycles([a, parseSource("src/common/b.ts", 'const a = await import("./a.ts");')]), []);
  });

  test("finds what a command's data would load at start", () => {
    const main = parseSource("src/main.ts", 'import { COMMANDS } from "./commands/index.ts";');
    const index = parseSource(
      "src/commands/index.ts",
      'import type { X } from "pino"; import { run } from "../proxy-runtime/proxy.ts";\nimport ora from "ora";',
    );
    const problems = findEagerImports([main, index]);
    assert.equal(problems.length, 2);
    assert.match(problems[0]!, /^src\/commands\/index\.ts:1 imports src\/proxy-runtime\/proxy\.ts when meshctl starts/);
    assert.match(problems[1]!, /^src\/commands\/index\.ts:2 imports ora/);
  });

  test("finds clocks, timers, files and logs in translate", () => {
    const text =
      'import { readFileSync } from "node:fs";\nconst now = Date.now();\nsetTimeout(f, 1);\nconst d = new Date();\nimport pino from "pino";\nconst p = process.env;';
    assert.deepEqual(findImpurities(parseSource("src/control-plane/translate/a.ts", text)), [
      "1 imports node:fs",
      "5 imports pino",
      "2 uses Date.now",
      "3 uses setTimeout",
      "4 uses new Date()",
      "6 uses process",
    ]);
    const innocent = "const o = { process: 1 }; const d = new Date(o.process); function f(console: X) {} interface Y { fetch: number }";
    assert.deepEqual(findImpurities(parseSource("src/control-plane/translate/a.ts", innocent)), []);
  });

  test("finds barrels and names that say little", () => {
    assert.deepEqual(
      parseSource("src/cli/a.ts", 'export * from "./b.ts";\nexport { x } from "./c.ts";\nexport const y = 1;').reExports,
      [1, 2],
    );
    assert.match(whyBadName("src/common/string-utils.ts")!, /"utils" says nothing/);
    assert.match(whyBadName("src/common/clockTicks.ts")!, /not kebab-case/);
    assert.match(whyBadName("src/helpers/clock.ts")!, /"helpers"/);
    assert.equal(whyBadName("src/proxy-runtime/upstream/cluster-manager.ts"), undefined);
    assert.equal(whyBadName("src/common/database.ts"), undefined);
  });
});
