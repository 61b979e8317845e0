// Two proxies with mTLS between them on one core: two sidecars, and what people would put in the same place.
import { makeCertificates } from "./certificates.ts";
import type { Certificates } from "./certificates.ts";
import type { Chain } from "./chain.ts";
import { assertChecksIdentity, assertCounts, assertWorks } from "./checks.ts";
import { Core, freePorts } from "./lab.ts";
import type { Lab } from "./lab.ts";
import { haproxyCommand, haproxyConfig } from "./peers/haproxy.ts";
import { nginxClientConfig, nginxCommand, nginxServerConfig, originConfig } from "./peers/nginx.ts";
import type { Origin } from "./peers/nginx.ts";
import { SUBJECT } from "./scenarios/scenario.ts";
import { sidecarBootstrap } from "./subject/bootstrap.ts";
import { startMeshctl } from "./subject/meshctl.ts";

/** What all pairs of one run share. */
export interface Place {
  readonly lab: Lab;
  readonly originPorts: readonly number[];
  readonly certificates: Certificates;
}

export async function makePlace(lab: Lab, origin: Omit<Origin, "ports"> = {}): Promise<Place> {
  const originPorts = await startOrigin(lab, origin);
  return { lab, originPorts, certificates: await makeCertificates(lab) };
}

/** Starts nginx as the server behind every chain, on two ports. */
export async function startOrigin(lab: Lab, origin: Omit<Origin, "ports"> = {}): Promise<readonly number[]> {
  const ports = await freePorts(2);
  lab.start("origin", Core.load, nginxCommand(lab.write("origin.conf", originConfig({ ...origin, ports })), lab.folder));
  return ports;
}

export async function startMeshctlPair({ lab, originPorts, certificates }: Place, cpuprof: string | undefined): Promise<Chain> {
  const [port, innerPort, clientAdmin, serverAdmin] = (await freePorts(4)) as [number, number, number, number];
  const server = sidecarBootstrap({
    adminPort: serverAdmin,
    listenPort: innerPort,
    upstreamPorts: originPorts,
    tls: { end: "server", certificates },
  });
  const client = sidecarBootstrap({
    adminPort: clientAdmin,
    listenPort: port,
    upstreamPorts: [innerPort],
    tls: { end: "client", certificates },
  });
  const processes = [startMeshctl(lab, "mesh-client", client, cpuprof), startMeshctl(lab, "mesh-server", server, cpuprof)];
  const chain: Chain = { name: SUBJECT, port, innerPort, isRich: true, processes };
  await assertWorks(chain, lab);
  await assertChecksIdentity(SUBJECT, innerPort, certificates);
  for (const adminPort of [clientAdmin, serverAdmin]) await assertCounts(SUBJECT, adminPort);
  return chain;
}

export async function startHaproxyPair({ lab, originPorts, certificates }: Place, name: string, isRich: boolean): Promise<Chain> {
  const [port, innerPort] = (await freePorts(2)) as [number, number];
  const server = haproxyConfig({ listenPort: innerPort, upstreamPorts: originPorts, isRich, tls: { end: "server", certificates } });
  const client = haproxyConfig({ listenPort: port, upstreamPorts: [innerPort], isRich, tls: { end: "client", certificates } });
  const start = (end: string, config: string) =>
    lab.start(`${name} ${end}`, Core.proxy, haproxyCommand(lab.write(`${name}-${end}.cfg`, config)));
  const chain: Chain = { name, port, innerPort, isRich, processes: [start("client", client), start("server", server)] };
  await assertWorks(chain, lab);
  if (isRich) await assertChecksIdentity(name, innerPort, certificates);
  return chain;
}

export async function startNginxPair({ lab, originPorts, certificates }: Place): Promise<Chain> {
  const [port, innerPort] = (await freePorts(2)) as [number, number];
  const start = (end: string, config: string) =>
    lab.start(`nginx ${end}`, Core.proxy, nginxCommand(lab.write(`nginx-${end}.conf`, config), lab.folder));
  const processes = [
    start("client", nginxClientConfig(port, innerPort, certificates)),
    start("server", nginxServerConfig(innerPort, originPorts, certificates)),
  ];
  const chain: Chain = { name: "nginx", port, innerPort, isRich: false, processes };
  await assertWorks(chain, lab);
  return chain;
}
