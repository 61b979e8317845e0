// Rounds of abuse after which nothing may be left over, while a bystander goes on being served.
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { eventually } from "../eventually.ts";
import { HelperProcess } from "./helper-process.ts";
import type { ProbeResult } from "./probe.ts";
import type { ProxyProcess } from "./proxy-process.ts";
import { scaled } from "./scale.ts";
import type { Stage } from "./stage.ts";

export interface Expectations {
  /** The most anonymous memory that any proxy may have at any time; else that of every attack that needs no more. */
  readonly ceilingMb?: number;
  /** How slow the slowest answer to a bystander may be: short of a standstill, on a machine that attacker and server share. */
  readonly bystanderMs?: number;
  /** How long closing may take after a round. */
  readonly atRestWithinMs?: number;
}

/** Of a round that waits for something that never comes; when the test ends the proxy goes, and everything with it. */
const ROUND_WITHIN_MS = scaled(240_000, 60_000);

const CEILING_MB = scaled(192, 160);
const ROUNDS = scaled(3, 2);
/** What code that ran for the first time, histograms that grew and blocks kept for reuse may add. */
const GROWTH_MB = 2;
/** Longer than two of transport/block-pool.ts's TRIM_MS: the first only sees that the busy time is over. */
const SETTLING_MS = 2200;
const SETTLED_MB = 0.25;
/** Code that ran for the first time, and the blocks that the pools keep for good. */
const FEW_BLOCKS_MB = 8;
/** The allocators below V8, OpenSSL's among them, keep memory for later, now more, now less. */
const isMuchMore = (after: number, before: number): boolean => after > 1.3 * before + 8;
/** They come to an end of it within some rounds more; what leaks does not. */
const isMore = (after: number, before: number): boolean => after > 1.05 * before + 2;
const isGrowing = (amounts: readonly number[]): boolean =>
  isMuchMore(amounts.at(-1)!, amounts[0]!) && isMore(amounts.at(-1)!, amounts.at(-2)!);

interface RoundResult {
  readonly peakMb: readonly number[];
  readonly heldMb: readonly number[];
  readonly anonymousMb: readonly number[];
  readonly slowestMs: number;
}

/** Abuses the stage in several rounds, while a bystander goes on being served; nothing may be left of any of them. */
export async function abuse(stage: Stage, round: () => Promise<void>, expected: Expectations = {}): Promise<void> {
  const { ceilingMb = CEILING_MB, bystanderMs = 5000, atRestWithinMs = 30_000 } = expected;
  const descriptors = stage.proxies.map((each) => each.descriptors());
  const freshMb = await Promise.all(stage.proxies.map((each) => each.heldMb()));
  const results: RoundResult[] = [];
  const grows = (): boolean => stage.proxies.some((_, index) => isGrowing(results.map((each) => each.anonymousMb[index]!)));
  while (results.length < ROUNDS || (results.length < 2 * ROUNDS && grows())) {
    const what = `round ${results.length + 1}`;
    const seen = await withBystander(stage, round);
    assert.deepEqual(seen.failures.slice(0, 3), [], `a bystander was refused ${seen.failures.length} times in ${what}`);
    assert.ok(seen.answers > 0, "the bystander got no answer");
    assert.ok(seen.slowestMs < bystanderMs, `a bystander waited ${seen.slowestMs.toFixed(0)} ms in ${what}`);
    results.push({ slowestMs: seen.slowestMs, ...(await restOf(stage, descriptors, freshMb, atRestWithinMs)) });
  }
  const slowestMs = Math.max(...results.map((each) => each.slowestMs));
  for (const index of stage.proxies.keys()) {
    const of = (pick: (each: RoundResult) => readonly number[]): number[] => results.map((each) => pick(each)[index]!);
    const peakMb = Math.max(...of((each) => each.peakMb));
    const held = of((each) => each.heldMb);
    const anonymous = of((each) => each.anonymousMb);
    const name = `proxy ${index + 1}`;
    stage.context.diagnostic(
      `${name}: ${peakMb.toFixed(1)} MB at its peak; then ${texts(anonymous)} MB, of which V8 holds ${texts(held)}; ${stage.proxies[index]!.cpuSeconds().toFixed(1)} s of CPU; slowest bystander ${slowestMs.toFixed(0)} ms`,
    );
    assert.ok(peakMb <= ceilingMb, `${name} had ${peakMb.toFixed(1)} MB, more than ${ceilingMb}`);
    assert.ok(Math.max(...held) <= held[0]! + GROWTH_MB, `${name} holds more MB after each round: ${texts(held)}`);
    assert.ok(!isGrowing(anonymous), `${name} has more anonymous MB after each round: ${texts(anonymous)}`);
  }
}

function texts(amounts: readonly number[]): string {
  return amounts.map((each) => each.toFixed(1)).join(", ");
}

async function withBystander({ place, ports }: Stage, round: () => Promise<void>): Promise<ProbeResult> {
  const bystander = await HelperProcess.start<"ready", ProbeResult>("probe.ts", [place.ip, String(ports.http)], place.inside);
  try {
    const tooLong = delay(ROUND_WITHIN_MS, "too long", { ref: false });
    assert.notEqual(await Promise.race([round(), tooLong]), "too long", `the round is not over after ${ROUND_WITHIN_MS / 1000} s`);
    return await bystander.finish();
  } finally {
    await bystander[Symbol.asyncDispose]();
  }
}

type Rest = Pick<RoundResult, "peakMb" | "heldMb" | "anonymousMb">;

async function restOf(
  { proxies, keptConnections }: Stage,
  descriptors: readonly string[][],
  freshMb: readonly number[],
  withinMs: number,
): Promise<Rest> {
  const peakMb = proxies.map((each) => each.takePeakMb());
  for (const [index, each] of proxies.entries())
    await eventually(() => assertAtRest(each, descriptors[index]!, keptConnections), { withinMs });
  const heldMb = await Promise.all(proxies.map((each, index) => settledMb(each, freshMb[index]!)));
  const anonymousMb = proxies.map((each) => each.rssAnonMb());
  for (const each of proxies) each.takePeakMb();
  return { peakMb, heldMb, anonymousMb };
}

/** What V8 holds once it no longer shrinks: blocks that a busy second has needed are given back later. */
async function settledMb(proxy: ProxyProcess, freshMb: number): Promise<number> {
  let held = await proxy.heldMb();
  for (let before = Infinity; held > freshMb + FEW_BLOCKS_MB && before - held > SETTLED_MB;) {
    before = held;
    await delay(SETTLING_MS);
    held = await proxy.heldMb();
  }
  return held;
}

async function assertAtRest(proxy: ProxyProcess, descriptors: readonly string[], mayKeep: number): Promise<void> {
  proxy.assertRuns();
  const kept = await proxy.stat(/^(http|cluster|tcp)\..*_cx_active$/);
  assert.ok(kept <= mayKeep, `${kept} connections are active`);
  assert.equal(await proxy.stat(/\.(downstream|upstream)_(rq|rq_pending)_active$/), 0, "requests that are active");
  const sockets = Array.from({ length: kept }, () => "socket");
  assert.deepEqual(proxy.descriptors(), [...descriptors, ...sockets].sort(), "descriptors");
}
