// client → sidecar → mTLS → sidecar → server, both sidecars on one core: what the mesh costs a request. Two haproxy or
// two nginx processes with mTLS between them are what people would put in the same place.
import type { Chain } from "../chain.ts";
import { wrk } from "../load/wrk.ts";
import { makePlace, startHaproxyPair, startMeshctlPair, startNginxPair } from "../pairs.ts";
import type { Scenario } from "./scenario.ts";

export const mesh: Scenario = {
  name: "mesh",
  summary: "client, sidecar, mTLS, sidecar, server; both sidecars on one core",
  connections: [2, 8, 32, 128],
  bars: [
    { peer: "haproxy", at: [2], atLeast: 0.85 },
    { peer: "haproxy", at: [8], atLeast: 0.95 },
    { peer: "haproxy", at: [32], atLeast: 1.3 },
    { peer: "haproxy", at: [128], atLeast: 1.45 },
    { peer: "nginx", at: [32, 128], atLeast: 1.5 },
  ],
  async start(lab, { cpuprof, peersOnly }) {
    const place = await makePlace(lab);
    const chains: Chain[] = peersOnly ? [] : [await startMeshctlPair(place, cpuprof)];
    chains.push(await startHaproxyPair(place, "haproxy", false), await startNginxPair(place));
    chains.push(await startHaproxyPair(place, "haproxy-rich", true));
    return { chains, loads: [wrk()] };
  },
};
