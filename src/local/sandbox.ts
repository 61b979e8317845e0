// The sandbox that holds a whole mesh: one network, PID and mount namespace (and a user namespace without root).
// What runs first in it is a shell: it reaps orphans, and when it dies, the kernel ends everything else in there.
import { spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { UserError } from "../common/user-error.ts";
import { ROOTLESS_NAMESPACES, SANDBOX_NAMESPACES, SYSTEM_PATH } from "./prerequisites.ts";
import type { ProcessIdentity } from "./process-identity.ts";
import { readSandboxIdentity, runPaths } from "./run-folder.ts";

/** Where the sandbox keeps its own copy of the program, readable for every user in it. */
export const RUNTIME_FOLDER = "/run/meshctl-runtime";

// /proc still shows the machine's numbering when the shell starts: its own line there has the pid that the host knows
// and its start time.
// A tmpfs over /run hides the machine's own: no name of a namespace and no lock file is left there.
const ENTRY = `set -eu
read -r stat < /proc/self/stat
printf %s "$stat" > "$MESHCTL_RUN/sandbox.stat.new"
mv "$MESHCTL_RUN/sandbox.stat.new" "$MESHCTL_RUN/sandbox.stat"
mount -n -t proc proc /proc

stage=$MESHCTL_RUN/stage
mkdir -p "$stage"
mount -n -t tmpfs -o mode=755 tmpfs "$stage"
mkdir -p "$stage/netns" "$stage/lock"
for folder in "$MESHCTL_RUN" "$@"; do
  case $folder in
    /run/*)
      mkdir -p "$stage/\${folder#/run/}"
      mount -n --rbind "$folder" "$stage/\${folder#/run/}" ;;
  esac
done
mount -n --move "$stage" /run

runtime=${RUNTIME_FOLDER}
mkdir -p $runtime/bin $runtime/path $runtime/node_modules/@koromix
cp "$MESHCTL_PACKAGE/bin/meshctl" $runtime/bin/
cp -r "$MESHCTL_PACKAGE/dist" $runtime/dist
cp -r "$MESHCTL_KOFFI" $runtime/node_modules/koffi
cp -r "$MESHCTL_KOFFI_PLATFORM" $runtime/node_modules/@koromix/
chmod -R a+rX $runtime/bin $runtime/dist $runtime/node_modules
node=node_modules/$MESHCTL_NODE_PACKAGE/bin/node
mkdir -p "$runtime/\${node%/*}"
: > "$runtime/$node"
mount -n --bind "$MESHCTL_NODE_BINARY" "$runtime/$node"
ln -s "../$node" $runtime/path/node
ln -s ../bin/meshctl $runtime/path/meshctl

export MESHCTL_NO_BUILD=1
exec 3<&0
$runtime/bin/meshctl local-supervisor "$MESHCTL_RUN" <&3 3<&- &
exec 0</dev/null 3<&-
wait $!
`;

export interface SandboxOptions {
  readonly runFolder: string;
  readonly rootless: boolean;
  /** Folders that the sandbox must see although they are under /run. */
  readonly visibleFolders: readonly string[];
  /** Root of the package that is running: has bin/meshctl and dist/. */
  readonly packageRoot: string;
  /** The mesh ends when this process ends; otherwise it goes on until `down`. */
  readonly tiedToParent: boolean;
}

/** Root of the running package: the folder above dist/ (or above src/, when run from source). */
export function findPackageRoot(from: string = import.meta.dirname): string {
  for (let folder = from; folder !== dirname(folder); folder = dirname(folder)) {
    if (existsSync(join(folder, "bin/meshctl")) && existsSync(join(folder, "dist/main.js"))) return folder;
  }
  throw new UserError(
    "cannot find meshctl's own files (bin/meshctl and dist/)",
    "the single executable runs no local mesh; use a checkout or the npm package",
  );
}

function koffiFolders(): { readonly koffi: string; readonly platform: string } {
  const require = createRequire(import.meta.url);
  const koffi = dirname(require.resolve("koffi"));
  const name = `@koromix/koffi-${process.platform}-${process.arch}`;
  return { koffi, platform: dirname(createRequire(join(koffi, "package.json")).resolve(name)) };
}

/**
 * Starts the sandbox; its supervisor then reads the run folder and goes on by itself.
 * @returns the first process of the sandbox, by the host's numbering.
 */
export async function startSandbox(options: SandboxOptions): Promise<ProcessIdentity> {
  const { koffi, platform } = koffiFolders();
  const entry = join(options.runFolder, "sandbox.sh");
  writeFileSync(entry, ENTRY, { mode: 0o600 });
  const log = openSync(runPaths(options.runFolder).supervisorLog, "a", 0o600);
  const namespaces = [...(options.rootless ? ROOTLESS_NAMESPACES : []), ...SANDBOX_NAMESPACES];
  const child = spawn("unshare", [...namespaces, "sh", entry, ...options.visibleFolders], {
    detached: true,
    stdio: [options.tiedToParent ? "pipe" : "ignore", log, log],
    cwd: "/",
    env: {
      PATH: SYSTEM_PATH,
      HOME: "/",
      MESHCTL_RUN: options.runFolder,
      MESHCTL_PACKAGE: options.packageRoot,
      MESHCTL_KOFFI: koffi,
      MESHCTL_KOFFI_PLATFORM: platform,
      MESHCTL_NODE_BINARY: process.execPath,
      // Where the launcher looks first.
      MESHCTL_NODE_PACKAGE: `node-linux-${process.arch}`,
      MESHCTL_TIED: options.tiedToParent ? "1" : "",
    },
  });
  closeSync(log);
  child.unref();
  const ended = new Promise<never>((_, reject) => {
    child.once("error", (error) => reject(new UserError(`cannot start the sandbox: ${error.message}`)));
    child.once("exit", () => reject(new UserError(`the sandbox did not start: ${supervisorLogTail(options.runFolder)}`)));
  });
  ended.catch(() => undefined);
  // A tied sandbox's stdin is held open by this process and by nothing else.
  if (child.stdin !== null) child.stdin.on("error", () => undefined);
  return await Promise.race([ended, readSandboxPid(options.runFolder)]);
}

function supervisorLogTail(runFolder: string): string {
  try {
    return readFileSync(runPaths(runFolder).supervisorLog, "utf8").trim().split("\n").slice(-3).join("; ") || "it said nothing";
  } catch {
    return "it said nothing";
  }
}

async function readSandboxPid(runFolder: string): Promise<ProcessIdentity> {
  for (let attempt = 0; attempt < 1000; attempt++) {
    const identity = readSandboxIdentity(runFolder);
    if (identity !== undefined) return identity;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new UserError(`the sandbox did not start: ${supervisorLogTail(runFolder)}`);
}
