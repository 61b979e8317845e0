// The server's end of new mTLS connections: one handshake with a client certificate and one request on each.
import { makeCertificates } from "../certificates.ts";
import type { Chain } from "../chain.ts";
import { assertChecksIdentity, assertWorks, getOverTls } from "../checks.ts";
import { Core, freePorts } from "../lab.ts";
import { newTlsConnections } from "../load/s-time.ts";
import { startOrigin } from "../pairs.ts";
import { haproxyCommand, haproxyConfig } from "../peers/haproxy.ts";
import { sidecarBootstrap } from "../subject/bootstrap.ts";
import { startMeshctl } from "../subject/meshctl.ts";
import { SUBJECT } from "./scenario.ts";
import type { Scenario } from "./scenario.ts";

export const handshake: Scenario = {
  name: "handshake",
  summary: "new mTLS connections at the server's end, one request on each",
  connections: [8],
  bars: [{ peer: "haproxy", atLeast: 1 }],
  async start(lab, { cpuprof, peersOnly }) {
    const upstreamPorts = await startOrigin(lab);
    const certificates = await makeCertificates(lab);
    const tls = { end: "server", certificates } as const;
    const [adminPort, meshctlPort, haproxyPort] = (await freePorts(3)) as [number, number, number];
    const chains: Chain[] = [];
    if (!peersOnly) {
      const bootstrap = sidecarBootstrap({ adminPort, listenPort: meshctlPort, upstreamPorts, tls });
      const process = startMeshctl(lab, "handshake-meshctl", bootstrap, cpuprof);
      chains.push({ name: SUBJECT, port: meshctlPort, isRich: true, processes: [process] });
    }
    const config = lab.write("handshake.cfg", haproxyConfig({ listenPort: haproxyPort, upstreamPorts, isRich: false, tls }));
    const haproxy = lab.start("haproxy", Core.proxy, haproxyCommand(config));
    chains.push({ name: "haproxy", port: haproxyPort, isRich: false, processes: [haproxy] });
    for (const chain of chains) await assertWorks(chain, lab, getOverTls(certificates));
    if (!peersOnly) await assertChecksIdentity(SUBJECT, meshctlPort, certificates);
    return { chains, loads: [newTlsConnections(certificates)] };
  },
};
