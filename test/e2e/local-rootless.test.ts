// A local mesh without root, where the machine allows user namespaces; and what is said where something is missing.
// The user exists only in this test's own mount namespace: nothing of the machine's accounts is changed.
import assert from "node:assert/strict";
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { CAN_RUN_LOCAL_MESH, MESHCTL, ROOT, runCommand, type CommandResult } from "../support/local-mesh.ts";

const UID = 23_456;
const USER = "meshctl-test";

/** Runs meshctl as an unprivileged user; `ids` says whether that user has subordinate ids. */
function asUser(folder: string, ids: boolean, args: readonly string[]): Promise<CommandResult> {
  const range = ids ? `${USER}:3000000:65536\n` : "";
  writeFileSync(join(folder, "passwd"), `${readFileSync("/etc/passwd", "utf8")}${USER}:x:${UID}:${UID}::${folder}/home:/bin/sh\n`);
  writeFileSync(join(folder, "subid"), range);
  const script = [
    `mount --bind ${folder}/passwd /etc/passwd`,
    `mount --bind ${folder}/subid /etc/subuid`,
    `mount --bind ${folder}/subid /etc/subgid`,
    `exec setpriv --reuid ${UID} --regid ${UID} --clear-groups "$@"`,
  ].join(" && ");
  const env = { PATH: process.env["PATH"], HOME: `${folder}/home`, XDG_RUNTIME_DIR: `${folder}/runtime`, MESHCTL_NO_BUILD: "1" };
  return runCommand("unshare", ["--mount", "sh", "-c", script, "sh", MESHCTL, ...args], env);
}

async function whyNot(): Promise<string | false> {
  if (!CAN_RUN_LOCAL_MESH) return "needs Linux and root, to become another user";
  const readable = await runCommand("setpriv", [
    "--reuid",
    `${UID}`,
    "--regid",
    `${UID}`,
    "--clear-groups",
    "test",
    "-r",
    join(ROOT, "dist/main.js"),
  ]);
  return readable.code === 0 ? false : "other users can't read this checkout";
}

describe("a local mesh without root", { skip: await whyNot() }, () => {
  let folder = "";
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "meshctl-rootless-"));
    chmodSync(folder, 0o755);
    for (const name of ["home", "runtime"]) {
      mkdirSync(join(folder, name), { mode: 0o700 });
      chownSync(join(folder, name), UID, UID);
    }
  });
  after(async () => {
    await asUser(folder, true, ["local", "down", "--all"]);
    rmSync(folder, { recursive: true, force: true });
  });

  test("names what is missing when the user has no subordinate ids", async () => {
    const { code, stderr } = await asUser(folder, false, ["local", "up", "--detach"]);
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`needs a range of at least \\d+ ids for ${USER} in /etc/subuid\\n.*usermod --add-subuids`));
  });

  test("runs the shop through sidecars, and leaves nothing", async (context) => {
    const up = await asUser(folder, true, ["local", "up", "--detach"]);
    if (/allows no user namespaces|allows user namespaces only to root|AppArmor restricts|refuses the user namespaces/.test(up.stderr)) {
      return context.skip(up.stderr.trim());
    }
    assert.equal(up.code, 0, up.stderr);
    const status = await asUser(folder, true, ["local", "status"]);
    assert.match(status.stdout, /^mesh default: ready \(rootless\)\n/);
    const call = await asUser(folder, true, ["local", "exec", "frontend", "--", "curl", "-s", "--max-time", "5", "http://checkout/"]);
    assert.match(call.stdout, /"service":"checkout".*"service":"payments"/, call.stderr);
    const user = await asUser(folder, true, ["local", "exec", "frontend", "-c", "meshctl-proxy", "--", "id", "-u"]);
    assert.equal(user.stdout, "1337\n");
    const down = await asUser(folder, true, ["local", "down"]);
    assert.equal(down.code, 0, down.stderr);
    // The program that made the namespaces ends right after what was in them.
    await eventually(async () => assert.equal((await runCommand("pgrep", ["--list-full", "--uid", `${UID}`])).stdout, ""), {
      withinMs: 2000,
    });
  });
});
