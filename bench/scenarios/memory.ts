// Anonymous memory of a sidecar: idle, under the load of `mesh`, and what each idle connection to it adds.
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { UserError } from "../../src/common/user-error.ts";
import { assertWorks, getOverTls } from "../checks.ts";
import { IdleConnections } from "../idle-connections.ts";
import { freePorts } from "../lab.ts";
import type { Lab, PinnedProcess } from "../lab.ts";
import { wrk } from "../load/wrk.ts";
import { makePlace, startMeshctlPair } from "../pairs.ts";
import type { Place } from "../pairs.ts";
import type { Verdict } from "../report.ts";
import { sidecarBootstrap } from "../subject/bootstrap.ts";
import { startMeshctl } from "../subject/meshctl.ts";
import { SUBJECT } from "./scenario.ts";

const IDLE_MB = 30;
const LOADED_MB = 60;
const LOADED_CONNECTIONS = 32;
const PLAINTEXT_KB = 6;
const MTLS_KB = 70;
const IDLE_CONNECTIONS = 2000;
/** Long enough for start-up garbage to be collected or not, as it would be in a pod. */
const SETTLE_MS = 5_000;
const SAMPLE_MS = 100;

export interface MemoryOptions {
  readonly lab: Lab;
  readonly signal: AbortSignal;
  /** Of the idle sidecar, instead of the benchmark's own configuration of a client's sidecar. */
  readonly bootstrapFile: string | undefined;
  readonly loadSeconds: number;
}

export async function memory(
  { lab, signal, bootstrapFile, loadSeconds }: MemoryOptions,
  report: (verdict: Verdict) => void,
): Promise<void> {
  const place = await makePlace(lab);
  report(await idleSidecar(place, bootstrapFile));
  for (const verdict of await loadedPair(place, loadSeconds, signal)) report(verdict);
  report(await idleConnections(place, "plaintext", PLAINTEXT_KB, signal));
  report(await idleConnections(place, "mTLS", MTLS_KB, signal));
}

async function idleSidecar({ lab, certificates }: Place, bootstrapFile: string | undefined): Promise<Verdict> {
  const [adminPort, listenPort, upstreamPort] = (await freePorts(3)) as [number, number, number];
  const own = { adminPort, listenPort, upstreamPorts: [upstreamPort], tls: { end: "client", certificates } } as const;
  const sidecar = startMeshctl(lab, "idle", bootstrapFile === undefined ? sidecarBootstrap(own) : read(bootstrapFile), undefined);
  await delay(SETTLE_MS);
  lab.assertAllRun();
  const verdict = atMost("idle sidecar", sidecar.rssAnonMb(), IDLE_MB, "MB");
  await sidecar.stop();
  return verdict;
}

async function loadedPair(place: Place, seconds: number, signal: AbortSignal): Promise<Verdict[]> {
  const { port, processes } = await startMeshctlPair(place, undefined);
  const peakMb = processes.map(() => 0);
  const timer = setInterval(() => {
    for (const [index, each] of processes.entries()) peakMb[index] = Math.max(peakMb[index]!, each.rssAnonMb());
  }, SAMPLE_MS);
  try {
    await wrk().run(port, LOADED_CONNECTIONS, seconds, signal);
  } finally {
    clearInterval(timer);
  }
  place.lab.assertAllRun();
  await Promise.all(processes.map((each) => each.stop()));
  const ends = ["client", "server"];
  return peakMb.map((peak, index) =>
    atMost(`${ends[index]}'s sidecar at its peak under mesh load, ${LOADED_CONNECTIONS} connections`, peak, LOADED_MB, "MB"),
  );
}

async function idleConnections(place: Place, kind: "plaintext" | "mTLS", limitKb: number, signal: AbortSignal): Promise<Verdict> {
  const { lab, originPorts, certificates } = place;
  const [adminPort, listenPort] = (await freePorts(2)) as [number, number];
  const isTls = kind === "mTLS";
  const hop = { adminPort, listenPort, upstreamPorts: originPorts };
  const bootstrap = sidecarBootstrap(isTls ? { ...hop, tls: { end: "server", certificates } } : hop);
  const sidecar = startMeshctl(lab, `idle-${kind}`, bootstrap, undefined);
  const chain = { name: SUBJECT, port: listenPort, isRich: true, processes: [sidecar] };
  await assertWorks(chain, lab, isTls ? getOverTls(certificates) : undefined);
  const connections = new IdleConnections(listenPort, isTls ? certificates : undefined);
  try {
    // The first ones also pay for compiled code, a pool and a grown heap.
    await connections.open(IDLE_CONNECTIONS / 10, signal);
    connections.close();
    await settle(sidecar, signal);
    const before = sidecar.rssAnonMb();
    await connections.open(IDLE_CONNECTIONS, signal);
    await settle(sidecar, signal);
    lab.assertAllRun();
    const eachKb = ((sidecar.rssAnonMb() - before) * 1024) / IDLE_CONNECTIONS;
    return atMost(`idle ${kind} connection, of ${IDLE_CONNECTIONS} after one request each`, eachKb, limitKb, "KB");
  } finally {
    connections.close();
    await sidecar.stop();
  }
}

/** Waits until the memory has stood still for long enough that the sidecar has noticed, and collected. */
async function settle(process: PinnedProcess, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + 4 * SETTLE_MS;
  for (let last = -1, since = 0; performance.now() < deadline && (last < 0 || performance.now() - since < SETTLE_MS);) {
    const now = process.rssAnonMb();
    if (Math.abs(now - last) > 0.1) since = performance.now();
    last = now;
    await delay(SAMPLE_MS, undefined, { signal });
  }
}

function atMost(what: string, value: number, limit: number, unit: string): Verdict {
  return { text: `${what}: ${value.toFixed(1)} ${unit}, at most ${limit} wanted`, isReached: value <= limit };
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new UserError(`cannot read ${file}: ${(error as NodeJS.ErrnoException).code}`, "give --bootstrap an Envoy v3 bootstrap");
  }
}
