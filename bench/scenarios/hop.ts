// One plain HTTP/1.1 hop: what a sidecar costs without TLS.
import type { Chain } from "../chain.ts";
import { assertCounts, assertWorks } from "../checks.ts";
import { Core, freePorts } from "../lab.ts";
import type { Lab } from "../lab.ts";
import { wrk } from "../load/wrk.ts";
import { startOrigin } from "../pairs.ts";
import { haproxyCommand, haproxyConfig } from "../peers/haproxy.ts";
import { sidecarBootstrap } from "../subject/bootstrap.ts";
import { startMeshctl } from "../subject/meshctl.ts";
import { SUBJECT } from "./scenario.ts";
import type { Scenario } from "./scenario.ts";

export const hop: Scenario = {
  name: "hop",
  summary: "one plain HTTP/1.1 hop, keep-alive connections",
  connections: [32],
  bars: [
    { peer: "haproxy", atLeast: 0.75 },
    { peer: "haproxy-rich", atLeast: 0.9 },
  ],
  async start(lab, { cpuprof, peersOnly }) {
    const originPorts = await startOrigin(lab);
    const [adminPort, meshctlPort, barePort, richPort] = (await freePorts(4)) as [number, number, number, number];
    const chains: Chain[] = [];
    if (!peersOnly) {
      const bootstrap = sidecarBootstrap({ adminPort, listenPort: meshctlPort, upstreamPorts: originPorts });
      chains.push({ name: SUBJECT, port: meshctlPort, isRich: true, processes: [startMeshctl(lab, "hop-meshctl", bootstrap, cpuprof)] });
    }
    chains.push(startHaproxy(lab, "haproxy", barePort, originPorts, false), startHaproxy(lab, "haproxy-rich", richPort, originPorts, true));
    for (const chain of chains) await assertWorks(chain, lab);
    if (!peersOnly) await assertCounts(SUBJECT, adminPort);
    return { chains, loads: [wrk()] };
  },
};

function startHaproxy(lab: Lab, name: string, port: number, upstreamPorts: readonly number[], isRich: boolean): Chain {
  const config = lab.write(`${name}.cfg`, haproxyConfig({ listenPort: port, upstreamPorts, isRich }));
  return { name, port, isRich, processes: [lab.start(name, Core.proxy, haproxyCommand(config))] };
}
