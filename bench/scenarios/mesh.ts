// client → sidecar → mTLS → sidecar → server, both sidecars on one core: what the mesh costs a request. Two haproxy or
// two nginx processes with mTLS between them are what people would put in the same place.
import { makeCertificates } from "../certificates.ts";
import type { Certificates } from "../certificates.ts";
import { assertChecksIdentity, assertCounts, assertWorks } from "../chain.ts";
import type { Chain } from "../chain.ts";
import { Core, freePorts } from "../lab.ts";
import type { Lab } from "../lab.ts";
import { haproxyCommand, haproxyConfig } from "../peers/haproxy.ts";
import { nginxClientConfig, nginxCommand, nginxServerConfig, originConfig } from "../peers/nginx.ts";
import { sidecarBootstrap } from "../subject/bootstrap.ts";
import { startMeshctl } from "../subject/meshctl.ts";
import { SUBJECT } from "./scenario.ts";
import type { Scenario } from "./scenario.ts";

interface Place {
  readonly lab: Lab;
  readonly originPorts: readonly number[];
  readonly certificates: Certificates;
}

export const mesh: Scenario = {
  name: "mesh",
  summary: "client, sidecar, mTLS, sidecar, server; both sidecars on one core",
  connections: [2, 8, 32, 128],
  bars: [{ peer: "haproxy", atLeast: 0.6 }],
  async start(lab, { cpuprof, peersOnly }) {
    const originPorts = await freePorts(2);
    lab.start("origin", Core.load, nginxCommand(lab.write("origin.conf", originConfig(originPorts)), lab.folder));
    const place: Place = { lab, originPorts, certificates: await makeCertificates(lab) };
    const chains: Chain[] = peersOnly ? [] : [await startMeshctlPair(place, cpuprof)];
    chains.push(
      await startHaproxyPair(place, "haproxy", false),
      await startNginxPair(place),
      await startHaproxyPair(place, "haproxy-rich", true),
    );
    for (const chain of chains) await assertWorks(chain, lab);
    return chains;
  },
};

async function startMeshctlPair({ lab, originPorts, certificates }: Place, cpuprof: string | undefined): Promise<Chain> {
  const [port, serverPort, clientAdmin, serverAdmin] = (await freePorts(4)) as [number, number, number, number];
  const server = sidecarBootstrap({
    adminPort: serverAdmin,
    listenPort: serverPort,
    upstreamPorts: originPorts,
    tls: { end: "server", certificates },
  });
  const client = sidecarBootstrap({
    adminPort: clientAdmin,
    listenPort: port,
    upstreamPorts: [serverPort],
    tls: { end: "client", certificates },
  });
  const processes = [startMeshctl(lab, "mesh-server", server, cpuprof), startMeshctl(lab, "mesh-client", client, cpuprof)];
  const chain: Chain = { name: SUBJECT, port, isRich: true, processes };
  await assertWorks(chain, lab);
  await assertChecksIdentity(SUBJECT, serverPort, certificates);
  for (const adminPort of [clientAdmin, serverAdmin]) await assertCounts(SUBJECT, adminPort);
  return chain;
}

async function startHaproxyPair({ lab, originPorts, certificates }: Place, name: string, isRich: boolean): Promise<Chain> {
  const [port, serverPort] = (await freePorts(2)) as [number, number];
  const server = haproxyConfig({ listenPort: serverPort, upstreamPorts: originPorts, isRich, tls: { end: "server", certificates } });
  const client = haproxyConfig({ listenPort: port, upstreamPorts: [serverPort], isRich, tls: { end: "client", certificates } });
  const start = (end: string, config: string) =>
    lab.start(`${name} ${end}`, Core.proxy, haproxyCommand(lab.write(`${name}-${end}.cfg`, config)));
  const processes = [start("server", server), start("client", client)];
  if (isRich) {
    await assertWorks({ name, port, isRich, processes }, lab);
    await assertChecksIdentity(name, serverPort, certificates);
  }
  return { name, port, isRich, processes };
}

async function startNginxPair({ lab, originPorts, certificates }: Place): Promise<Chain> {
  const [port, serverPort] = (await freePorts(2)) as [number, number];
  const start = (end: string, config: string) =>
    lab.start(`nginx ${end}`, Core.proxy, nginxCommand(lab.write(`nginx-${end}.conf`, config), lab.folder));
  const processes = [
    start("server", nginxServerConfig(serverPort, originPorts, certificates)),
    start("client", nginxClientConfig(port, serverPort, certificates)),
  ];
  return { name: "nginx", port, isRich: false, processes };
}
