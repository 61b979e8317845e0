// What two sidecars add to a request on a machine that is not busy: a steady thousand requests a second, well below what
// any chain can carry, with and without proxies on the way.
import type { Chain } from "../chain.ts";
import { assertWorks } from "../checks.ts";
import { h2loadSteady } from "../load/h2load.ts";
import { makePlace, startHaproxyPair, startMeshctlPair } from "../pairs.ts";
import type { Scenario } from "./scenario.ts";

const REQUESTS_PER_SECOND = 1000;

export const latency: Scenario = {
  name: "latency",
  summary: `${REQUESTS_PER_SECOND} requests a second through client, sidecar, mTLS, sidecar, server`,
  connections: [8],
  // Both stand above the direct way, so what they add differs by what they differ.
  bars: [{ peer: "haproxy", atMostMore: { p50Ms: 0.1, p99Ms: 0.2 } }],
  async start(lab, { cpuprof, peersOnly }) {
    const place = await makePlace(lab);
    const chains: Chain[] = peersOnly ? [] : [await startMeshctlPair(place, cpuprof)];
    const direct: Chain = { name: "direct", port: place.originPorts[0]!, isRich: false, processes: [] };
    await assertWorks(direct, lab);
    chains.push(await startHaproxyPair(place, "haproxy", false), direct);
    return { chains, loads: [h2loadSteady(REQUESTS_PER_SECOND, lab.folder)] };
  },
};
