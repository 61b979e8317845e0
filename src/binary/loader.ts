// Main of the single executable, bundled to CommonJS: gives a sidecar its settings, unpacks what the binary carries and
// runs it from there. A code-split bundle can't be that main itself: its first lazy import would fail.
import { createRequire } from "node:module";
import { join } from "node:path";
import { getAssetKeys, getRawAsset } from "node:sea";
import { UserError, userErrorText } from "../common/user-error.ts";
import { restartAsSidecar } from "./sidecar-start.ts";
import { assertExecutable, unpack } from "./unpack.ts";

/** Assets that are not files: the digest of all that are, which names their folder. */
const DIGEST = "digest";
/** Imports dist/main.js: `import()` in the main of a single executable finds Node's own modules only (Node 26). */
const START = "start.cjs";

function run(): void {
  const args = process.argv.slice(2);
  const surroundings = { env: process.env, uid: process.getuid?.() ?? 0 };
  const files = getAssetKeys().filter((name) => name !== DIGEST);
  const digest = Buffer.from(getRawAsset(DIGEST)).toString("latin1");
  const cargo = { digest, files, read: (name: string) => new Uint8Array(getRawAsset(name)) };
  const folder = unpack(cargo, surroundings);
  if (args[0] === "proxy") {
    assertExecutable(cargo, folder);
    restartAsSidecar(args, folder);
  }
  createRequire(join(folder, "/"))(`./${START}`);
}

try {
  run();
} catch (error) {
  if (!(error instanceof UserError)) throw error;
  process.stderr.write(userErrorText(error));
  process.exitCode = error.exitCode;
}
