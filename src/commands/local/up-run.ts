// meshctl local up: everything is checked before anything starts; what has started is gone again when it can't be ready.
import { spawn } from "node:child_process";
import { existsSync, openSync, readFileSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { CommandContext } from "../../cli/command.ts";
import { nameFlagOf } from "../../cli/local-mesh.ts";
import { isLive, startProgress } from "../../cli/progress.ts";
import { UserError } from "../../common/user-error.ts";
import { VERSION } from "../../common/version.ts";
import { desiredState } from "../../local/cluster/desired-pods.ts";
import { LOCAL_INJECTION } from "../../local/cluster/local-injection.ts";
import { readManifestsStrictly, requirePods } from "../../local/cluster/manifest-set.ts";
import { claimRunFolder, endMesh } from "../../local/mesh-lifetime.ts";
import { checkPrerequisites } from "../../local/prerequisites.ts";
import { identifyProcess } from "../../local/process-identity.ts";
import { parsePublish, resolvePublish } from "../../local/publish/published-port.ts";
import { chooseHostPorts, waitForPublisher } from "../../local/publish/publisher.ts";
import { findMesh, runPaths, type MeshInfo, type MeshRecord, type PublishedPort } from "../../local/run-folder.ts";
import { findPackageRoot, startSandbox } from "../../local/sandbox.ts";
import { findConfigProblems } from "./check-mesh-config.ts";
import { describeProgress, explainFailure, isHopeless } from "./up-progress.ts";

const POLL_MS = 50;
const PUBLISHER_WAIT_MS = 5000;
const STOP_GRACE_MS = 10_000;
const INTERRUPTED = 130;

interface UpOptions {
  readonly file?: readonly string[];
  readonly detach?: boolean;
  readonly publish?: readonly string[];
  readonly name: string;
  readonly timeout: number;
  readonly workloadCertTtl?: number;
}

export async function run(context: CommandContext): Promise<number> {
  const options = context.options as unknown as UpOptions;
  const startedAt = performance.now();
  const packageRoot = findPackageRoot();
  const sources = findSources(options.file, packageRoot);
  const published = await checkInput(sources, options.publish ?? []);
  const { rootless } = checkPrerequisites();
  const starter = identifyProcess(process.pid);
  if (starter === undefined) throw new Error("/proc shows no process of this number");
  const record: MeshRecord = {
    name: options.name,
    version: VERSION,
    createdAt: new Date().toISOString(),
    starter,
    rootless,
    sources,
    published,
    workloadCertTtlMs: options.workloadCertTtl,
  };
  const folder = claimRunFolder(record);

  let interrupted = false;
  const onSignal = (): void => void (interrupted = true);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, onSignal);
  const tiedToParent = options.detach !== true;
  try {
    const visibleFolders = sources.map((source) => (statSync(source).isDirectory() ? source : dirname(source)));
    await startSandbox({ runFolder: folder, rootless, visibleFolders, packageRoot, tiedToParent });
    if (published.length > 0) startPublisher(packageRoot, folder, options.name);
    const mesh = await waitUntilReady(context, options, () => interrupted);
    if (mesh === undefined) {
      await endMesh(options.name, STOP_GRACE_MS);
      return INTERRUPTED;
    }
    await waitForPublisher(published, PUBLISHER_WAIT_MS);
    sayReady(context, mesh, performance.now() - startedAt, tiedToParent);
    if (!tiedToParent) return 0;
    await waitForEnd(options.name, () => interrupted);
  } catch (error) {
    await endMesh(options.name, STOP_GRACE_MS);
    throw error;
  }
  const stopping = await startProgress(context.stderr, `stopping mesh ${options.name}`);
  await endMesh(options.name, STOP_GRACE_MS);
  stopping.succeed(`mesh ${options.name} is down`);
  return 0;
}

function findSources(files: readonly string[] | undefined, packageRoot: string): string[] {
  const sources = (files ?? [join(packageRoot, "samples/shop")]).map((file) => resolve(file));
  for (const source of sources) {
    if (!existsSync(source))
      throw new UserError(`-f ${source}: no such file or folder`, "correct the path; without -f the sample shop is run");
  }
  return [...new Set(sources)];
}

/** All that can be wrong with the YAML and the flags. */
async function checkInput(sources: readonly string[], publish: readonly string[]): Promise<PublishedPort[]> {
  const requests = publish.map(parsePublish);
  const set = readManifestsStrictly(sources);
  const problems = [...desiredState(set, LOCAL_INJECTION).problems, ...findConfigProblems(sources)];
  if (problems.length > 0) throw new UserError(problems.join("\n  "), "mend the YAML and start again; nothing was started");
  requirePods(set, sources);
  const services = set.services.map(({ object }) => object);
  return chooseHostPorts(requests.map((request) => ({ ...resolvePublish(request, services), hostPort: request.hostPort })));
}

/** Undefined when interrupted. @throws UserError with the reason when it can't become ready, or not in time. */
async function waitUntilReady(context: CommandContext, options: UpOptions, isInterrupted: () => boolean): Promise<MeshInfo | undefined> {
  const progress = await startProgress(context.stderr, `starting mesh ${options.name}`);
  const deadline = performance.now() + options.timeout;
  try {
    for (;;) {
      if (isInterrupted()) return undefined;
      const mesh = findMesh(options.name);
      if (mesh === undefined || mesh.phase === "dead")
        throw new UserError(`mesh ${options.name} ended while it was starting`, tailOfSupervisor(mesh));
      if (mesh.phase === "ready") return mesh;
      if (isHopeless(mesh) || performance.now() > deadline) throw explainFailure(mesh, options.timeout);
      if (isLive(context.stderr)) progress.update(describeProgress(mesh));
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  } finally {
    progress.stop();
  }
}

function tailOfSupervisor(mesh: MeshInfo | undefined): string | undefined {
  if (mesh === undefined) return undefined;
  return readFileSync(runPaths(mesh.folder).supervisorLog, "utf8").trim().split("\n").slice(-5).join("\n  ");
}

function startPublisher(packageRoot: string, folder: string, name: string): void {
  const log = openSync(runPaths(folder).publisherLog, "a", 0o600);
  const child = spawn(process.execPath, [join(packageRoot, "dist/main.js"), "local-publisher", name], {
    detached: true,
    stdio: ["ignore", log, log],
  });
  child.unref();
}

function sayReady(context: CommandContext, mesh: MeshInfo, elapsedMs: number, isForeground: boolean): void {
  const flag = nameFlagOf(mesh.name);
  const pod = mesh.pods[0];
  const lines = [
    ...mesh.warnings.map((warning) => `note: ${warning}`),
    `mesh ${mesh.name} is ready: ${mesh.pods.length === 1 ? "1 pod" : `${mesh.pods.length} pods`} in ${(elapsedMs / 1000).toFixed(1)} s`,
    ...mesh.published.map((each) => `  http://localhost:${each.hostPort} is ${each.service}.${each.namespace}:${each.port}`),
    `  meshctl local status${flag}`,
    ...(pod === undefined ? [] : [`  meshctl local logs ${pod.owner.name}${flag}`]),
    isForeground ? "Ctrl-C stops it" : `  meshctl local down${flag}`,
  ];
  context.stdout.write(`${lines.join("\n")}\n`);
}

async function waitForEnd(name: string, isInterrupted: () => boolean): Promise<void> {
  while (!isInterrupted()) {
    const mesh = findMesh(name);
    if (mesh === undefined || mesh.phase === "dead" || mesh.phase === "stopping") return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
