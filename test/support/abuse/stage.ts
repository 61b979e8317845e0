// What every test of the suite stands on: origins and proxies, each a process of its own, on loopback or in a network
// namespace.
import type { TestContext } from "node:test";
import type { Json } from "../proxy-plane.ts";
import { createIdentities } from "../test-identities.ts";
import { HelperProcess } from "./helper-process.ts";
import { hopBootstrap } from "./hop-bootstrap.ts";
import type { Hop } from "./hop-bootstrap.ts";
import type { OriginPorts } from "./origin.ts";
import { freePorts, ProxyProcess } from "./proxy-process.ts";

/** Where a stage's processes run, and at which address. */
export interface Place {
  /** Run in front of a command, such as `ip netns exec NAME`. */
  readonly inside: readonly string[];
  readonly ip: string;
}

const LOOPBACK: Place = { inside: [], ip: "127.0.0.1" };

export interface Stage {
  readonly context: TestContext;
  /** Of the listeners that bystanders use. */
  readonly place: Place;
  readonly ports: { readonly http: number; readonly tcp: number; readonly mtls: number };
  readonly origin: OriginPorts;
  /** The proxies on the way, the client's first. */
  readonly proxies: readonly ProxyProcess[];
  /** That each proxy may keep for a minute when nobody asks: the one between two sidecars. */
  readonly keptConnections: number;
}

export type StageOptions = Pick<Hop, "manager" | "action" | "tcpProxy" | "chain"> & {
  /** Port of a server in the origin's place. */
  readonly serverPort?: number;
  readonly place?: Place;
  /** Where the origin runs, if elsewhere. */
  readonly originPlace?: Place;
};

/** One proxy with an HTTP and a TCP listener in front of the origin. */
export async function setStage(context: TestContext, options: StageOptions = {}): Promise<Stage> {
  const { place = LOOPBACK, originPlace = place } = options;
  const own = await startOrigin(context, originPlace);
  const origin = { ...own, http: options.serverPort ?? own.http };
  const [http, tcp] = (await freePorts(2)) as [number, number];
  const quietOrigin = (await startOrigin(context, place)).http;
  const hop: Hop = { http, tcp, origin, quietOrigin, ip: place.ip, originIp: originPlace.ip, ...options };
  const proxy = await startProxy(context, hopBootstrap(hop), place);
  return { context, place, ports: { http, tcp, mtls: 0 }, origin, proxies: [proxy], keptConnections: 0 };
}

/** A client's and a server's sidecar with mTLS between them; the client's listeners are plaintext. */
export async function setMeshStage(context: TestContext, options: StageOptions = {}): Promise<Stage> {
  const { place = LOOPBACK, originPlace = place } = options;
  const origin = await startOrigin(context, originPlace);
  const identities = await createIdentities();
  const [http, tcp, mtls] = (await freePorts(3)) as [number, number, number];
  const identityOf = async (name: string, peer: string) => ({
    certificate: await identities.issue(name),
    rootsPem: identities.rootsPem,
    peer,
  });
  const quietOrigin = (await startOrigin(context, originPlace)).http;
  const atServer = { mtls, origin, quietOrigin, ip: originPlace.ip, identity: await identityOf("server", "client") };
  const server = await startProxy(context, hopBootstrap({ ...atServer, ...options }), originPlace);
  const client = await startProxy(
    context,
    hopBootstrap({
      http,
      tcp,
      origin: { http: mtls, echo: origin.echo },
      quietOrigin,
      ip: place.ip,
      originIp: originPlace.ip,
      identity: await identityOf("client", "server"),
      isMeshUpstream: true,
      ...options,
    }),
    place,
  );
  return { context, place, ports: { http, tcp, mtls }, origin, proxies: [client, server], keptConnections: 1 };
}

async function startOrigin(context: TestContext, { inside, ip }: Place): Promise<OriginPorts> {
  const origin = await HelperProcess.start<OriginPorts, never>("origin.ts", [ip], inside);
  context.after(() => origin[Symbol.asyncDispose]());
  return origin.ready;
}

async function startProxy(context: TestContext, bootstrap: Json, { inside }: Place): Promise<ProxyProcess> {
  const proxy = await ProxyProcess.start(bootstrap, inside);
  context.after(() => proxy[Symbol.asyncDispose]());
  return proxy;
}
