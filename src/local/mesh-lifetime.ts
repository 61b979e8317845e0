// Beginning and end of a run folder: one `up` per name, a dead mesh's remains cleared, everything gone after `down`.
import { existsSync, lstatSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import { join } from "node:path";
import { UserError } from "../common/user-error.ts";
import { isAlive, signalProcess } from "./process-identity.ts";
import { findMesh, readPublisherIdentity, runFoldersRoot, runPaths, type MeshRecord } from "./run-folder.ts";

// Keeps the longest socket path under 100 bytes (Linux allows 107): "/run/user/4294967295/meshctl/<name>/s/9999.sock".
const NAME = /^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/;
const SOCKET_PATH_LIMIT = 100;

export function checkMeshName(name: string): void {
  if (!NAME.test(name)) {
    throw new UserError(
      `"${name}" is not a name for a mesh`,
      "use up to 40 lower-case letters, digits and dashes, beginning and ending with a letter or digit",
    );
  }
}

export function writeFileAtomically(path: string, text: string, mode = 0o600): void {
  const fresh = `${path}.new`;
  writeFileSync(fresh, text, { mode });
  renameSync(fresh, path);
}

export function writeRecord(folder: string, record: MeshRecord): void {
  writeFileAtomically(runPaths(folder).record, `${JSON.stringify(record, null, 2)}\n`);
}

/**
 * Makes the run folder for a new mesh; the remains of a dead one of that name are removed first.
 * @throws UserError when that mesh runs, or is being started by someone else.
 */
export function claimRunFolder(record: MeshRecord): string {
  checkMeshName(record.name);
  const root = runFoldersRoot();
  const folder = join(root, record.name);
  if (join(runPaths(folder).sockets, "9999.sock").length >= SOCKET_PATH_LIMIT) {
    throw new UserError(
      `the run folder's path is too long for unix sockets: ${folder}`,
      "use a shorter --name, or a shorter XDG_RUNTIME_DIR",
    );
  }
  mkdirSync(root, { recursive: true, mode: 0o700 });
  checkOwner(root);
  for (let attempt = 0; attempt < 3; attempt++) {
    if (existsSync(folder)) clearDead(folder, record.name);
    // The record is inside before the folder has its name, so nobody ever sees it half made.
    const fresh = join(root, `.${record.name}.${process.pid}`);
    rmSync(fresh, { recursive: true, force: true });
    mkdirSync(fresh, { mode: 0o700 });
    const paths = runPaths(fresh);
    for (const each of [paths.sockets, paths.objects, paths.logs, paths.authority]) mkdirSync(each, { mode: 0o700 });
    writeRecord(fresh, record);
    try {
      renameSync(fresh, folder);
      return folder;
    } catch {
      // Someone was faster: a folder with files in it can't be replaced.
      rmSync(fresh, { recursive: true, force: true });
    }
  }
  throw new UserError(`another meshctl local up is starting mesh ${record.name} right now`);
}

/** The folder may be in /tmp, where anyone could have made it first. */
function checkOwner(root: string): void {
  const stat = lstatSync(root);
  if (stat.isDirectory() && stat.uid === process.getuid?.() && (stat.mode & 0o022) === 0) return;
  throw new UserError(`${root} is not a folder of yours alone`, "remove it, or set XDG_RUNTIME_DIR to a folder that only you can write to");
}

function clearDead(folder: string, name: string): void {
  const mesh = findMesh(name);
  if (mesh !== undefined && mesh.phase !== "dead") {
    throw new UserError(`mesh ${name} is running already`, `stop it: meshctl local down --name ${name}; or start another: --name other`);
  }
  removeRunFolder(folder);
}

/** Removes it under another name, so that a new mesh of the same name never meets half of the old one. */
export function removeRunFolder(folder: string): void {
  const dead = `${folder}.dead.${process.pid}`;
  try {
    renameSync(folder, dead);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
    throw error;
  }
  rmSync(dead, { recursive: true, force: true });
  try {
    const root = runFoldersRoot();
    if (readdirSync(root).length === 0) rmSync(root, { recursive: true });
  } catch {
    // Another mesh was made in it meanwhile.
  }
}

/** Asks the supervisor to stop; resolves false when nobody listens. */
function requestStop(folder: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(runPaths(folder).control, () => socket.write("stop\n"));
    socket.on("error", () => resolve(false));
    socket.on("close", () => resolve(true));
    socket.resume();
  });
}

async function waitUntil(condition: () => boolean, withinMs: number): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  while (!condition()) {
    if (performance.now() > deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return true;
}

/**
 * Ends a mesh and removes what it left: asks first, then kills. Works on a dead one, and on a folder without a record.
 * @param graceMs how long the pods may take to end by themselves.
 */
export async function endMesh(name: string, graceMs: number): Promise<void> {
  const folder = join(runFoldersRoot(), name);
  const mesh = findMesh(name);
  if (mesh !== undefined && mesh.phase !== "dead") {
    const sandbox = mesh.sandbox;
    if (sandbox === undefined) {
      signalProcess(mesh.starter, "SIGTERM");
      if (!(await waitUntil(() => !isAlive(mesh.starter), 5000))) signalProcess(mesh.starter, "SIGKILL");
    } else {
      const asked = requestStop(folder);
      const timeout = new Promise<boolean>((resolve) => setTimeout(() => resolve(false), graceMs).unref());
      const stopped = (await Promise.race([asked, timeout])) && (await waitUntil(() => !isAlive(sandbox), 2000));
      if (!stopped) signalProcess(sandbox, "SIGKILL");
      await waitUntil(() => !isAlive(sandbox), 5000);
    }
  }
  // It ends by itself when it sees the mesh end; whoever ends the mesh is to leave nothing.
  const publisher = readPublisherIdentity(folder);
  if (publisher !== undefined && !(await waitUntil(() => !isAlive(publisher), 2000))) {
    signalProcess(publisher, "SIGKILL");
    await waitUntil(() => !isAlive(publisher), 2000);
  }
  removeRunFolder(folder);
}
