// The single executable as somebody has it who has nothing else of ours: no Node on PATH, no node_modules near it, an
// empty environment, a folder of its own. Run as an unprivileged user where the test itself is root.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import type { ChildProcess, SpawnOptions } from "node:child_process";
import { once } from "node:events";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { eventually } from "../../support/eventually.ts";
import { httpFilter, listener, staticResources } from "../../support/proxy-plane.ts";
import { runProgram } from "../../support/run-program.ts";

const root = resolve(import.meta.dirname, "../../..");
const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string };
const STARTS_WITHIN_MS = 20_000;
const isRoot = process.getuid?.() === 0;
const NOBODY = 65534;
const isSupported = process.platform === "linux" && ["x64", "arm64"].includes(process.arch);

describe("the single executable", { skip: isSupported ? false : "it is built for Linux only" }, () => {
  let folder: string;
  let binary: string;
  let home: string;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "meshctl-binary-"));
    chmodSync(folder, 0o755);
    binary = join(folder, "meshctl");
    // dist/ as it is: building it anew would pull it from under other tests.
    const args = [join(root, "scripts/build-binary.ts"), "--no-bundle", "--output", binary];
    const built = await runProgram(process.execPath, args, { timeoutMs: 90_000 });
    assert.equal(built.code, 0, built.stderr);
    home = ownFolder("home");
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  function ownFolder(name: string): string {
    const path = join(folder, name);
    mkdirSync(path);
    if (isRoot) chownSync(path, NOBODY, NOBODY);
    return path;
  }

  function start(args: readonly string[], env: Record<string, string> = {}, user = NOBODY): ChildProcess {
    const ids: SpawnOptions = isRoot ? { uid: user, gid: user } : {};
    return spawn(binary, args, { cwd: "/", env: { HOME: home, ...env }, stdio: ["pipe", "pipe", "pipe"], ...ids });
  }

  async function run(args: readonly string[], { env = {}, input = "" } = {}): Promise<{ code: number; stdout: string; stderr: string }> {
    const child = start(args, env);
    const texts = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const) child[name]!.setEncoding("utf8").on("data", (text: string) => (texts[name] += text));
    child.stdin!.end(input);
    const [code] = (await once(child, "close")) as [number];
    return { code, ...texts };
  }

  test("tells its version", async () => {
    const { stdout, stderr } = await run(["version", "--client", "-o", "json"]);
    const { clientVersion } = JSON.parse(stdout) as { clientVersion: { version: string; node: string } };
    assert.equal(clientVersion.version, version);
    assert.equal(`v${clientVersion.node}`, process.version);
    assert.equal(stderr, "");
  });

  test("unpacks once, also when several start at the same time", async () => {
    const cache = ownFolder("several");
    const all = await Promise.all([1, 2, 3].map(() => run(["version", "--client", "--short"], { env: { MESHCTL_CACHE: cache } })));
    assert.deepEqual(
      all.map(({ code, stdout }) => [code, stdout]),
      all.map(() => [0, `${version}\n`]),
    );
    assert.equal(readdirSync(cache).length, 1);
  });

  test("goes on from a home that can't be written", async () => {
    const tmp = ownFolder("tmp");
    const { code, stderr } = await run(["version", "--client"], { env: { HOME: "/proc", TMPDIR: tmp } });
    assert.equal(code, 0, stderr);
    assert.equal(readdirSync(tmp).length, 1);
  });

  test("refuses to run what was changed behind its back, and says what to do", async () => {
    const cache = ownFolder("changed");
    await run(["version", "--client"], { env: { MESHCTL_CACHE: cache } });
    const unpacked = join(cache, readdirSync(cache)[0]!);
    writeFileSync(join(unpacked, "dist/main.js"), "console.log('evil')");
    const { code, stdout, stderr } = await run(["version", "--client"], { env: { MESHCTL_CACHE: cache } });
    assert.deepEqual([code, stdout], [1, ""]);
    assert.match(stderr, /^meshctl: .*main\.js is not what this meshctl unpacked there\n {2}remove .*; or set MESHCTL_CACHE/);
  });

  test("refuses what another user has put where it would unpack", { skip: isRoot ? false : "needs root to be two users" }, async () => {
    const cache = join(folder, "foreign");
    mkdirSync(cache);
    chownSync(cache, 4242, 4242);
    const { code, stderr } = await run(["version", "--client"], { env: { MESHCTL_CACHE: cache } });
    assert.equal(code, 1);
    assert.match(stderr, /^meshctl: .*foreign belongs to user 4242, not to 65534\n/);
  });

  test("says so where native code can't be loaded from its folder", { skip: isRoot ? false : "needs root to mount" }, async () => {
    const cache = ownFolder("noexec");
    const script = 'mount -t tmpfs -o noexec none "$1" && exec env -i MESHCTL_CACHE="$1/cache" "$2" proxy --help';
    const args = ["--mount", "sh", "-c", script, "sh", cache, binary];
    const { code, stderr } = await runProgram("unshare", args, { timeoutMs: STARTS_WITHIN_MS });
    assert.equal(code, 1, stderr);
    assert.match(
      stderr,
      /^meshctl: nothing in .*noexec\/cache\/.* may be executed: its file system is mounted noexec\n {2}set MESHCTL_CACHE/,
    );
  });

  test("prints the same installation as the npm package", async () => {
    const args = ["install", "--offline"];
    const ours = await run(args);
    const theirs = await runProgram(join(root, "bin/meshctl"), args, { timeoutMs: 30_000, env: { MESHCTL_NO_BUILD: "1" } });
    assert.equal(ours.code, 0, ours.stderr);
    assert.equal(ours.stdout, theirs.stdout);
  });

  test("injects", async () => {
    const pod = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\nspec:\n  containers:\n    - name: a\n      image: b\n";
    const { code, stdout, stderr } = await run(["inject", "-"], { input: pod });
    assert.equal(code, 0, stderr);
    assert.match(stdout, /name"?: "?meshctl-proxy/);
  });

  test("finds iptables where it is, without a PATH", async () => {
    const { code, stdout, stderr } = await run(["init", "--dry-run"]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^\*nat$/m);
  });

  test("runs the control plane", async (context) => {
    const source = ownFolder("mesh");
    const none = ["--monitoring-address", "none"];
    const child = start(["controller", "--source", source, "--xds-address", "127.0.0.1:0", ...none]);
    await runsUntilStopped(context, child, /"serving"|xDS|listening/i);
  });

  test("runs a sidecar with the settings that bin/meshctl gives it, and with all its workers", async (context) => {
    const originalDst = { name: "o", typed_config: { "@type": `${EXTENSION}.listener.original_dst.v3.OriginalDst` } };
    // The original destination is asked of the kernel through native code, which must have been unpacked, too.
    const resources = staticResources([listener([{ filters: [httpFilter([])] }], { listener_filters: [originalDst] })], []);
    const bootstrap = join(folder, "bootstrap.json");
    writeFileSync(bootstrap, JSON.stringify(resources));
    for (const more of [[], ["--concurrency", "2"]]) {
      const args = ["proxy", "--bootstrap", bootstrap, ...more];
      const child = start(args);
      const log = collect(child);
      context.after(() => child.kill("SIGKILL"));
      await eventually(() => assert.match(log(), /"proxy is live"/), { withinMs: STARTS_WITHIN_MS });
      const of = (file: string): string => readFileSync(`/proc/${child.pid}/${file}`, "latin1");
      const wanted = await launcherSettings(args);
      assert.deepEqual(of("cmdline").split("\0")[1]?.replace("--node-options=", "").split(" "), wanted.flags);
      const environment = of("environ").split("\0");
      assert.deepEqual(
        environment
          .filter((each) => /^(MALLOC|OPENSSL)/.test(each))
          .map((each) => each.replace(/=.*\/bin\//, "=bin/"))
          .sort(),
        wanted.environment,
      );
      assert.match(of("maps"), /koffi\.node/);
      const exit = once(child, "exit");
      child.kill("SIGTERM");
      assert.deepEqual(await exit, [0, null], log());
    }
  });

  /** What bin/meshctl hands to Node: a script in Node's place prints it. */
  async function launcherSettings(args: readonly string[]): Promise<{ flags: string[]; environment: string[] }> {
    const stub = join(folder, "node");
    writeFileSync(stub, '#!/bin/sh\nprintf "%s\\n" "$@"\nenv | grep -E "^(MALLOC|OPENSSL)" | sort\n');
    chmodSync(stub, 0o755);
    const env = { MESHCTL_NODE: stub, MESHCTL_NO_BUILD: "1" };
    const { stdout } = await runProgram(join(root, "bin/meshctl"), args, { timeoutMs: 10_000, env });
    const lines = stdout.trim().split("\n");
    const script = lines.findIndex((each) => each.endsWith("dist/main.js"));
    const environment = lines.slice(script + 1 + args.length).map((each) => each.replace(/=.*\/bin\//, "=bin/"));
    return { flags: lines.slice(0, script), environment };
  }

  async function runsUntilStopped(context: { after(work: () => void): void }, child: ChildProcess, sign: RegExp): Promise<void> {
    const log = collect(child);
    context.after(() => void child.kill("SIGKILL"));
    await eventually(() => assert.match(log(), sign), { withinMs: STARTS_WITHIN_MS });
    const exit = once(child, "exit");
    child.kill("SIGTERM");
    assert.deepEqual(await exit, [0, null], log());
  }
});

const EXTENSION = "type.googleapis.com/envoy.extensions.filters";

function collect(child: ChildProcess): () => string {
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding("utf8").on("data", (part: string) => (text += part));
  return () => text;
}
