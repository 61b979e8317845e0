// Where the single executable unpacks itself, and what it refuses to run.
import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import type { Cargo } from "../../../src/binary/unpack.ts";
import { unpack } from "../../../src/binary/unpack.ts";
import { UserError } from "../../../src/common/user-error.ts";

const uid = process.getuid!();
const FILES: Readonly<Record<string, string>> = { "start.cjs": "start", "dist/main.js": "main", "node_modules/a/b.node": "native" };

function cargo(files = FILES): Cargo {
  return { digest: "0123abcd", files: Object.keys(files), read: (name) => Buffer.from(files[name]!) };
}

describe("unpacking the single executable", () => {
  let root: string;
  let cache: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "meshctl-unpack-"));
    cache = join(root, "cache");
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  const into = (env: Record<string, string>, as = uid): string => unpack(cargo(), { env, uid: as });
  const refuses = (work: () => unknown, message: RegExp, hint = /MESHCTL_CACHE/): void => {
    assert.throws(work, (error) => error instanceof UserError && message.test(error.message) && hint.test(error.hint ?? ""));
  };

  test("writes every file into a folder that is the user's alone, and nothing beside it", () => {
    const folder = into({ MESHCTL_CACHE: cache });
    assert.equal(folder, join(cache, "0123abcd"));
    for (const [name, text] of Object.entries(FILES)) assert.equal(readFileSync(join(folder, name), "utf8"), text);
    assert.equal(statSync(folder).mode & 0o777, 0o700);
    assert.deepEqual(readdirSync(cache), ["0123abcd"]);
  });

  test("leaves the files as they are the next time", () => {
    const file = join(into({ MESHCTL_CACHE: cache }), "dist/main.js");
    const before = statSync(file);
    into({ MESHCTL_CACHE: cache });
    assert.equal(statSync(file).ino, before.ino);
  });

  test("takes what another process has just put there", () => {
    let other: string | undefined;
    const slow: Cargo = {
      ...cargo(),
      read: (name) => {
        other ??= into({ MESHCTL_CACHE: cache });
        return cargo().read(name);
      },
    };
    assert.equal(unpack(slow, { env: { MESHCTL_CACHE: cache }, uid }), other);
    assert.deepEqual(readdirSync(cache), ["0123abcd"]);
  });

  test("prefers MESHCTL_CACHE, then XDG_CACHE_HOME, then the cache of HOME, then TMPDIR", () => {
    const env = { MESHCTL_CACHE: cache, XDG_CACHE_HOME: join(root, "xdg"), HOME: root, TMPDIR: join(root, "tmp") };
    const { MESHCTL_CACHE: _first, ...second } = env;
    const { XDG_CACHE_HOME: _second, ...third } = second;
    const { HOME: _third, ...fourth } = third;
    const folders = [env, second, third, fourth].map((each) => into(each));
    const bases = [cache, join(root, "xdg/meshctl"), join(root, ".cache/meshctl"), join(root, `tmp/meshctl-${uid}`)];
    assert.deepEqual(
      folders,
      bases.map((each) => join(each, "0123abcd")),
    );
  });

  test("goes on to TMPDIR where the home can't be written", () => {
    const home = join(root, "home");
    mkdirSync(home);
    writeFileSync(join(home, ".cache"), "in the way");
    assert.equal(into({ HOME: home, TMPDIR: root }), join(root, `meshctl-${uid}/0123abcd`));
  });

  test("leaves the home of another user alone", () => {
    // Only in what it is told is this process somebody else: the home belongs to who runs the test.
    refuses(() => into({ HOME: root, TMPDIR: "/proc" }, uid + 1), /^nowhere to unpack meshctl: \/proc/);
    assert.equal(existsSync(join(root, ".cache")), false);
  });

  test("refuses a changed file, by name", () => {
    const folder = into({ MESHCTL_CACHE: cache });
    writeFileSync(join(folder, "dist/main.js"), "evil");
    refuses(
      () => into({ MESHCTL_CACHE: cache }),
      /main\.js is not what this meshctl unpacked there$/,
      /^remove .*0123abcd: it is made anew/,
    );
  });

  test("refuses a folder that lacks a file", () => {
    const folder = into({ MESHCTL_CACHE: cache });
    rmSync(join(folder, "start.cjs"));
    refuses(() => into({ MESHCTL_CACHE: cache }), /start\.cjs: no such file$/);
  });

  test("refuses an unpacked folder of another user", () => {
    const folder = into({ MESHCTL_CACHE: cache });
    if (uid !== 0) return;
    // Of root and closed to others: a cache that another user may use, but not what lies in it.
    refuses(() => into({ MESHCTL_CACHE: cache }, 4242), new RegExp(`^${folder} belongs to user 0, not to 4242$`));
  });

  test("refuses an unpacked folder that is open to others", () => {
    chmodSync(into({ MESHCTL_CACHE: cache }), 0o755);
    refuses(() => into({ MESHCTL_CACHE: cache }), /0123abcd is open to others$/);
  });

  test("refuses a link in the folder's place", () => {
    const folder = into({ MESHCTL_CACHE: cache });
    mkdirSync(join(root, "linked"));
    symlinkSync(folder, join(root, "linked/0123abcd"));
    refuses(() => into({ MESHCTL_CACHE: join(root, "linked") }), /linked\/0123abcd is not a folder$/);
    symlinkSync(cache, join(root, "link"));
    refuses(() => into({ MESHCTL_CACHE: join(root, "link") }), /link is a symbolic link$/);
  });

  test("refuses a cache folder in which others could swap what was unpacked", () => {
    mkdirSync(cache);
    chmodSync(cache, 0o777);
    refuses(() => into({ MESHCTL_CACHE: cache }), /cache can be written by others$/);
    chmodSync(cache, 0o1777);
    assert.equal(into({ MESHCTL_CACHE: cache }), join(cache, "0123abcd"));
  });

  test("refuses a relative MESHCTL_CACHE, which would be another folder from another place", () => {
    refuses(() => into({ MESHCTL_CACHE: "cache" }), /^MESHCTL_CACHE=cache is not an absolute path$/);
  });

  test("leaves nothing behind where it can't write everything", () => {
    const broken: Cargo = { ...cargo(), files: ["start.cjs", "start.cjs/under"] };
    refuses(() => unpack(broken, { env: { MESHCTL_CACHE: cache }, uid }), /^cannot unpack meshctl into .*cache: /);
    assert.deepEqual(readdirSync(cache), []);
  });
});
