// One HTTP/2 hop with prior knowledge, unary gRPC calls on many streams: what an application's gRPC costs without TLS.
import { resolve } from "node:path";
import type { Chain } from "../chain.ts";
import { assertCounts, assertWorks, postHttp2 } from "../checks.ts";
import { Core, freePorts } from "../lab.ts";
import { h2loadStreams } from "../load/h2load.ts";
import { startOrigin } from "../pairs.ts";
import { haproxyCommand, haproxyConfig } from "../peers/haproxy.ts";
import { sidecarBootstrap } from "../subject/bootstrap.ts";
import { startMeshctl } from "../subject/meshctl.ts";
import { SUBJECT } from "./scenario.ts";
import type { Scenario } from "./scenario.ts";

const PATH = "/bench.Shop/GetItem";
const HEADERS = { "content-type": "application/grpc", te: "trailers" };
/** A message of 40 bytes behind gRPC's prefix: not compressed, its length. */
const MESSAGE = Buffer.concat([Buffer.from([0, 0, 0, 0, 40]), Buffer.alloc(40, "m")]);

export const grpc: Scenario = {
  name: "grpc",
  summary: "one plain HTTP/2 hop, unary gRPC calls, 16 streams on each connection",
  connections: [4],
  bars: [
    { peer: "haproxy", atLeast: 0.85 },
    { peer: "node:http2", atLeast: 3 },
  ],
  async start(lab, { cpuprof, peersOnly }) {
    const upstreamPorts = await startOrigin(lab, { isHttp2: true });
    const [adminPort, meshctlPort, haproxyPort, nodePort] = (await freePorts(4)) as [number, number, number, number];
    const chains: Chain[] = [];
    if (!peersOnly) {
      const bootstrap = sidecarBootstrap({ adminPort, listenPort: meshctlPort, upstreamPorts, isHttp2Upstream: true });
      chains.push({ name: SUBJECT, port: meshctlPort, isRich: true, processes: [startMeshctl(lab, "grpc-meshctl", bootstrap, cpuprof)] });
    }
    const config = lab.write("grpc.cfg", haproxyConfig({ listenPort: haproxyPort, upstreamPorts, isRich: false, isHttp2: true }));
    const nodeCommand = [
      process.execPath,
      resolve(import.meta.dirname, "../peers/http2-proxy.ts"),
      String(nodePort),
      String(upstreamPorts[0]),
    ];
    chains.push(
      { name: "haproxy", port: haproxyPort, isRich: false, processes: [lab.start("haproxy", Core.proxy, haproxyCommand(config))] },
      { name: "node:http2", port: nodePort, isRich: false, processes: [lab.start("node:http2", Core.proxy, nodeCommand)] },
    );
    for (const chain of chains) await assertWorks(chain, lab, (port) => postHttp2(port, PATH, HEADERS, MESSAGE));
    if (!peersOnly) await assertCounts(SUBJECT, adminPort);
    const bodyFile = lab.write("message", MESSAGE.toString("latin1"));
    return { chains, loads: [h2loadStreams({ streamsPerConnection: 16, path: PATH, bodyFile, headers: HEADERS })] };
  },
};
