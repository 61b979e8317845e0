// The demo, in order: start the mesh, send requests, read the sidecars, report, stay or leave, remove everything.
import { existsSync } from "node:fs";
import { join, relative } from "node:path";
import { sidecarAdmin } from "../../cli/local-mesh.ts";
import type { CommandContext } from "../../cli/command.ts";
import { startProgress } from "../../cli/progress.ts";
import { styleFor } from "../../cli/style.ts";
import { UserError } from "../../common/user-error.ts";
import { listMeshes, type MeshInfo } from "../../local/run-folder.ts";
import { Port } from "../../xds/names.ts";
import { growth, parseSamples, type Sample } from "../inspect/traffic/prometheus-text.ts";
import { isTrafficMetric } from "../inspect/traffic/traffic.ts";
import { callGraph } from "./demo/call-graph.ts";
import { startMesh, type DemoMesh } from "./demo/demo-mesh.ts";
import { findSurprises } from "./demo/expectations.ts";
import { renderNextSteps, renderReport } from "./demo/report.ts";
import { sendRequests, trickle } from "./demo/shop-load.ts";

const REQUESTS = 500;
const CONNECTIONS = 8;
const TRICKLE_PER_SECOND = 5;
const INTERRUPTED = 130;

export async function run(context: CommandContext): Promise<number> {
  const name = context.options["name"] as string;
  const stays = context.options["once"] !== true && context.stdout.isTTY === true;
  const interrupt = new AbortController();
  const onSignal = (): void => interrupt.abort();
  for (const each of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(each, onSignal);
  let running: DemoMesh | undefined;
  try {
    const startedAt = performance.now();
    running = startMesh(context, name);
    const mesh = await running.waitUntilReady(interrupt.signal);
    context.stderr.write(`The mesh is ready after ${((performance.now() - startedAt) / 1000).toFixed(1)} s.\n\n`);
    const either = AbortSignal.any([interrupt.signal, running.ended]);
    const surprises = await showTraffic(context, mesh, either);
    if (stays) await stay(context, mesh, either);
    if (!interrupt.signal.aborted) running.ended.throwIfAborted();
    return surprises === 0 ? 0 : 1;
  } catch (error) {
    if (interrupt.signal.aborted) return INTERRUPTED;
    // Requests that fail because the mesh has ended: its end is the reason.
    running?.ended.throwIfAborted();
    throw error;
  } finally {
    if (running !== undefined) await remove(context, running);
    for (const each of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.off(each, onSignal);
  }
}

/** Sends the requests and reports what the sidecars saw of them; resolves to how much was not as expected. */
async function showTraffic(context: CommandContext, mesh: MeshInfo, signal: AbortSignal): Promise<number> {
  const before = await scrape(mesh);
  const progress = await startProgress(context.stderr, `sending ${REQUESTS} requests to ${shopUrl(mesh)}/`);
  const load = await sendRequests(shopUrl(mesh), REQUESTS, CONNECTIONS, signal).finally(() => progress.stop());
  const edges = callGraph(growth(before, await scrape(mesh))).sort(
    (a, b) => order(a.service) - order(b.service) || (a.version < b.version ? -1 : 1),
  );
  context.stdout.write(`${renderReport(context, edges)}\n`);
  const surprises = findSurprises(load, edges);
  const style = styleFor(context.stdout, context.env);
  for (const each of surprises) context.stdout.write(`${style.red("UNEXPECTED")} ${each}\n`);
  if (surprises.length === 0) {
    context.stdout.write(`${style.green("OK")} All ${load.sent} requests went frontend → checkout → payments, over mutual TLS.\n`);
  }
  return surprises.length;
}

function order(service: string): number {
  const at = ["frontend", "checkout", "payments"].indexOf(service);
  return at < 0 ? 3 : at;
}

function shopUrl(mesh: MeshInfo): string {
  const published = mesh.published.find((each) => each.service === "frontend");
  if (published === undefined) throw new UserError("the mesh publishes no port of the frontend");
  return `http://127.0.0.1:${published.hostPort}`;
}

/** The traffic metrics of every sidecar. Series of different sidecars differ in their labels: who reports and for whom. */
async function scrape(mesh: MeshInfo): Promise<Sample[]> {
  const samples = await Promise.all(
    mesh.pods
      .filter((pod) => pod.meshed)
      .map(async (pod) => {
        const admin = sidecarAdmin({ mesh, pod }, Port.admin);
        try {
          const found = parseSamples(await admin.get("/stats/prometheus"), isTrafficMetric);
          return found.map((sample) => ({ ...sample, series: `${pod.namespace}/${pod.name} ${sample.series}` }));
        } finally {
          await admin.close();
        }
      }),
  );
  return samples.flat();
}

async function stay(context: CommandContext, mesh: MeshInfo, signal: AbortSignal): Promise<void> {
  const isOnlyMesh = listMeshes(context.env).filter((each) => each.phase !== "dead").length === 1;
  context.stdout.write(`\n${renderNextSteps(programName(), shopUrl(mesh), meshFile(mesh), isOnlyMesh ? undefined : mesh.name)}\n`);
  context.stdout.write(`${TRICKLE_PER_SECOND} requests a second keep flowing. Ctrl-C removes everything.\n`);
  await trickle(shopUrl(mesh), TRICKLE_PER_SECOND, signal);
  context.stderr.write("\n");
}

/** In a checkout nothing named meshctl is on the PATH. */
function programName(): string {
  const root = join(import.meta.dirname, "../..");
  const launcher = [join(import.meta.dirname, ".."), root].map((each) => join(each, "bin/meshctl")).find((each) => existsSync(each));
  const path = launcher === undefined ? undefined : relative(process.cwd(), launcher);
  return path === "bin/meshctl" ? path : "meshctl";
}

function meshFile(mesh: MeshInfo): string {
  const source = mesh.sources[0] ?? "";
  const file = existsSync(join(source, "mesh.yaml")) ? join(source, "mesh.yaml") : source;
  const path = relative(process.cwd(), file);
  return path.startsWith("..") ? file : path;
}

async function remove(context: CommandContext, running: DemoMesh): Promise<void> {
  // What is left of a mesh that has ended is nobody's news: its end is.
  if (running.ended.aborted) return running.remove();
  const progress = await startProgress(context.stderr, "removing the mesh");
  try {
    await running.remove();
    progress.succeed("The mesh is gone: no namespace, process, mount or file is left.");
  } catch (error) {
    progress.fail("The mesh is not gone.");
    throw error;
  }
}
