import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { once } from "node:events";
import { test } from "node:test";
import { UserError } from "../../../../../src/common/user-error.ts";
import { AccessLogs } from "../../../../../src/proxy-runtime/telemetry/access-log/access-logs.ts";
import { StatsStore } from "../../../../../src/proxy-runtime/telemetry/stats-store.ts";
import { StreamInfo } from "../../../../../src/proxy-runtime/telemetry/stream-info.ts";
import { eventually } from "../../../../support/eventually.ts";

const CONNECTION = { id: 1, remoteAddress: "", localAddress: "", tlsVersion: "", peer: undefined, localUri: "", serverName: "" };

function stream(path: string): StreamInfo {
  return Object.assign(new StreamInfo(CONNECTION, 0), { path });
}

function scratch(t: { after(fn: () => void): void }): string {
  const folder = mkdtempSync(join(tmpdir(), "access-log-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const text = (format: string) => ({ kind: "text", text: format }) as const;

test("lines reach the file within about a second, without a full block", async (t) => {
  const path = join(scratch(t), "log");
  const logs = new AccessLogs(new StatsStore());
  t.after(() => logs.close());
  logs.logger({ path, format: text("%REQ(:PATH)%\n") })(stream("/one"));
  assert.equal(readFileSync(path, "utf8"), "");
  await eventually(() => assert.equal(readFileSync(path, "utf8"), "/one\n"), { withinMs: 3000 });
});

test("a full block is written at once, all lines stay in order and close writes the rest", async (t) => {
  const path = join(scratch(t), "log");
  const store = new StatsStore();
  const logs = new AccessLogs(store);
  const first = logs.logger({ path, format: text("%REQ(:PATH)%\n") });
  const second = logs.logger({ path, format: text("%REQ(:PATH)%\n") });
  const expected: string[] = [];
  for (let n = 0; n < 20_000; n++) {
    (n % 2 === 0 ? first : second)(stream(`/${n}`));
    expected.push(`/${n}\n`);
  }
  await logs.close();
  assert.equal(readFileSync(path, "utf8"), expected.join(""));
  first(stream("/late"));
  const value = (name: string) => store.page[store.find(`filesystem.${name}`)!.slot];
  assert.deepEqual([value("write_buffered"), value("write_dropped"), value("write_failed")], [20_000, 1, 0]);
});

test("after a reopen lines go to the new file of that name, and none is lost", async (t) => {
  const path = join(scratch(t), "log");
  const logs = new AccessLogs(new StatsStore());
  const log = logs.logger({ path, format: text("%REQ(:PATH)%\n") });
  log(stream("/before"));
  renameSync(path, `${path}.1`);
  logs.reopen();
  log(stream("/after"));
  await logs.close();
  assert.equal(readFileSync(path, "utf8") + readFileSync(`${path}.1`, "utf8"), "/before\n/after\n");
  assert.match(readFileSync(path, "utf8"), /after/);
});

test("a reopen while a block is being written takes effect behind it", async (t) => {
  const path = join(scratch(t), "log");
  const logs = new AccessLogs(new StatsStore());
  const log = logs.logger({ path, format: text("%REQ(:PATH)%\n") });
  log(stream(`/${"x".repeat(70_000)}`));
  renameSync(path, `${path}.1`);
  logs.reopen();
  log(stream("/after"));
  await logs.close();
  assert.equal(readFileSync(`${path}.1`, "utf8").length, 70_002);
  assert.equal(readFileSync(path, "utf8"), "/after\n");
});

test("a file that can't be opened is a mistake that names it", (t) => {
  const path = join(scratch(t), "missing", "log");
  assert.throws(
    () => new AccessLogs(new StatsStore()).logger({ path, format: undefined }),
    (error) => error instanceof UserError && error.message.includes(path) && error.message.includes("ENOENT"),
  );
});

test("standard output is written to whatever it is: a pipe that is read late loses nothing", async () => {
  const module = new URL("../../../../../src/proxy-runtime/telemetry/", import.meta.url);
  const program = `
    import { AccessLogs } from "${module}access-log/access-logs.ts";
    import { StatsStore } from "${module}stats-store.ts";
    const logs = new AccessLogs(new StatsStore());
    const log = logs.logger({ path: "/dev/stdout", format: { kind: "text", text: "%REQ(:PATH)%\\n" } });
    for (let n = 0; n < 50000; n++) log({ path: "/" + n, requestHeaders: undefined });
    await logs.close();
    process.exit(0);`;
  const child = spawn(process.execPath, ["--input-type=module-typescript", "-e", program], { stdio: ["ignore", "pipe", "inherit"] });
  const chunks: Buffer[] = [];
  for await (const chunk of child.stdout) chunks.push(chunk as Buffer);
  if (child.exitCode === null) await once(child, "exit");
  const lines = Buffer.concat(chunks).toString().split("\n");
  assert.equal(lines.length, 50_001);
  assert.equal(lines[49_999], "/49999");
});

test("a full disk is counted and doesn't stop the rest", async (t) => {
  const store = new StatsStore();
  const logs = new AccessLogs(store);
  t.after(() => logs.close());
  logs.logger({ path: "/dev/full", format: text("x\n") })(stream("/"));
  await logs.close();
  assert.equal(store.page[store.find("filesystem.write_failed")!.slot], 1);
});
