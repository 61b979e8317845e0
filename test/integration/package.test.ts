// What `npm pack` puts into the package, and that it runs where npm puts it. Offline: nothing is fetched.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { eventually } from "../support/eventually.ts";
import { httpFilter, listener, staticResources } from "../support/proxy-plane.ts";

const root = resolve(import.meta.dirname, "../..");
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
const run = promisify(execFile);
/** A machine whose own PATH has no Node 26. */
const PLAIN_PATH = "/usr/bin:/bin";

describe("the npm package", () => {
  let folder: string;
  let files: string[];
  let unpacked: string;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "meshctl-pack-"));
    // prepare would rebuild dist/ under the feet of other tests; the runner has built it.
    const args = ["pack", "--ignore-scripts", "--offline", "--no-update-notifier", "--json", "--pack-destination", folder];
    const { stdout } = await run("npm", args, { cwd: root });
    const packed = JSON.parse(stdout) as { filename: string; files: { path: string }[] }[];
    files = packed[0]!.files.map((each) => each.path);
    await run("tar", ["-xzf", join(folder, packed[0]!.filename), "-C", folder]);
    unpacked = join(folder, "package");
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  test("holds the launcher, the bundle, templates, samples and the documents, and nothing else", () => {
    const wanted = ["bin/meshctl", "dist/main.js", "package.json", "README.md", "CHANGELOG.md", "LICENSE", "NOTICE"];
    for (const path of [...wanted, ...globSync(["samples/**/*.*", "templates/**/*.*"], { cwd: root })])
      assert.ok(files.includes(path), `${path} is missing`);
    const strange = files.filter((path) => !/^(bin|dist|templates|samples)\//.test(path) && !wanted.includes(path));
    assert.deepEqual(strange, []);
  });

  test("holds the licences of what is bundled", () => {
    const text = readFileSync(join(unpacked, "dist/THIRD-PARTY-LICENSES.txt"), "utf8");
    assert.match(text, /^commander \d+\.\d+\.\d+ \(MIT\)\n=+\n\n[^]*?Permission is hereby granted/m);
  });

  test("holds no TypeScript, which Node would refuse below node_modules", () => {
    assert.deepEqual(
      files.filter((path) => path.endsWith(".ts")),
      [],
    );
  });

  test("keeps the launcher executable", () => {
    assert.equal(statSync(join(unpacked, "bin/meshctl")).mode & 0o111, 0o111);
  });

  test("runs the pinned Node when installed globally and called through npm's link", async () => {
    const library = join(folder, "global/lib/node_modules");
    mkdirSync(join(folder, "global/bin"), { recursive: true });
    mkdirSync(library, { recursive: true });
    await run("cp", ["-r", unpacked, join(library, "meshctl")]);
    symlinkSync(join(root, "node_modules"), join(library, "meshctl/node_modules"));
    symlinkSync("../lib/node_modules/meshctl/bin/meshctl", join(folder, "global/bin/meshctl"));
    await assertRuns(join(folder, "global/bin/meshctl"));
  });

  test("runs the pinned Node when it is another project's dependency", async () => {
    const modules = join(folder, "project/node_modules");
    mkdirSync(join(modules, ".bin"), { recursive: true });
    await run("cp", ["-r", unpacked, join(modules, "meshctl")]);
    for (const name of globSync(["node-linux-*", "node-bin-darwin-*", "koffi", "@koromix"], { cwd: join(root, "node_modules") })) {
      symlinkSync(join(root, "node_modules", name), join(modules, name));
    }
    symlinkSync("../meshctl/bin/meshctl", join(modules, ".bin/meshctl"));
    await assertRuns(join(modules, ".bin/meshctl"));
  });

  test("finds its workers' program beside the rest", async (context) => {
    const bootstrap = join(folder, "bootstrap.json");
    writeFileSync(bootstrap, JSON.stringify(staticResources([listener([{ filters: [httpFilter([])] }])], [])));
    const env = { PATH: PLAIN_PATH, MESHCTL_NODE: process.execPath };
    const args = ["proxy", "--bootstrap", bootstrap, "--concurrency", "2"];
    const child = spawn(join(unpacked, "bin/meshctl"), args, { cwd: folder, env, stdio: ["ignore", "ignore", "pipe"] });
    context.after(() => child.kill("SIGKILL"));
    let log = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (log += text));
    // It is when both have bound the port.
    await eventually(() => assert.match(log, /"proxy is live"/), { withinMs: 15_000 });
    const exit = once(child, "exit");
    child.kill("SIGTERM");
    assert.deepEqual(await exit, [0, null], log);
  });

  async function assertRuns(launcher: string): Promise<void> {
    const { stdout } = await run(launcher, ["version", "--client", "-o", "json"], { cwd: folder, env: { PATH: PLAIN_PATH } });
    const facts = (JSON.parse(stdout) as { clientVersion: { version: string; node: string } }).clientVersion;
    assert.equal(facts.version, version);
    assert.match(facts.node, /^26\./);
  }
});
