// One hop of relayed bytes: writes of 64 KB through a TCP proxy, which understands none of them.
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { UserError } from "../../src/common/user-error.ts";
import type { Chain } from "../chain.ts";
import { get } from "../checks.ts";
import { Core, freePorts } from "../lab.ts";
import type { Lab } from "../lab.ts";
import { streams } from "../load/streams.ts";
import { haproxyCommand } from "../peers/haproxy.ts";
import { startMeshctl } from "../subject/meshctl.ts";
import { SUBJECT } from "./scenario.ts";
import type { Scenario } from "./scenario.ts";

const READY_WITHIN_MS = 15_000;
const HELLO = "hello";

export const tcp: Scenario = {
  name: "tcp",
  summary: "one hop of relayed bytes, writes of 64 KB one way",
  connections: [8],
  bars: [{ peer: "haproxy", atLeast: 1 }],
  async start(lab, { cpuprof, peersOnly }) {
    const [sinkPort, adminPort, meshctlPort, haproxyPort] = (await freePorts(4)) as [number, number, number, number];
    lab.start("sink", Core.load, [process.execPath, join(import.meta.dirname, "../load/stream-sink.ts"), String(sinkPort)]);
    const chains: Chain[] = [];
    if (!peersOnly) {
      const process = startMeshctl(lab, "tcp-meshctl", relayBootstrap(adminPort, meshctlPort, sinkPort), cpuprof);
      chains.push({ name: SUBJECT, port: meshctlPort, isRich: false, processes: [process] });
    }
    const haproxy = lab.start("haproxy", Core.proxy, haproxyCommand(lab.write("tcp.cfg", haproxyRelay(haproxyPort, sinkPort))));
    chains.push({ name: "haproxy", port: haproxyPort, isRich: false, processes: [haproxy] });
    for (const chain of chains) await assertRelays(chain, lab);
    if (!peersOnly) await assertCountsBytes(adminPort);
    return { chains, loads: [streams] };
  },
};

/** A sidecar's relay: its listener, its cluster, and the metrics of the client's side. */
function relayBootstrap(adminPort: number, listenPort: number, upstreamPort: number): string {
  const at = (port: number) => ({ socket_address: { address: "127.0.0.1", port_value: port } });
  const relay = {
    name: "envoy.filters.network.tcp_proxy",
    typed_config: {
      "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
      stat_prefix: "bench",
      cluster: "sink",
    },
  };
  const endpoints = [{ lb_endpoints: [{ endpoint: { address: at(upstreamPort) } }] }];
  return JSON.stringify({
    node: { id: "sidecar~127.0.0.1~bench.bench~bench.svc.cluster.local", cluster: "bench" },
    admin: { address: at(adminPort) },
    static_resources: {
      listeners: [{ name: "bench", traffic_direction: "OUTBOUND", address: at(listenPort), filter_chains: [{ filters: [relay] }] }],
      clusters: [{ name: "sink", type: "STATIC", load_assignment: { cluster_name: "sink", endpoints } }],
    },
  });
}

function haproxyRelay(listenPort: number, upstreamPort: number): string {
  return `global
  nbthread 1
  maxconn 1000
defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
listen relay
  bind 127.0.0.1:${listenPort}
  server sink 127.0.0.1:${upstreamPort}
`;
}

/** Waits until bytes come through, and their number back after the FIN. */
async function assertRelays(chain: Chain, lab: Lab): Promise<void> {
  const deadline = performance.now() + READY_WITHIN_MS;
  for (;;) {
    lab.assertAllRun();
    const answer = await greet(chain.port);
    if (answer === String(HELLO.length)) return;
    if (performance.now() > deadline)
      throw new UserError(
        `${chain.name} relays nothing on port ${chain.port}: ${JSON.stringify(answer)} came back`,
        "start it by hand to see why",
      );
    await delay(50);
  }
}

function greet(port: number): Promise<string> {
  return new Promise((resolve) => {
    let answer = "";
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    socket.once("connect", () => socket.end(HELLO));
    socket.on("data", (piece: Buffer) => (answer += piece.latin1Slice()));
    socket.on("error", (error) => (answer = error.message));
    socket.once("close", () => resolve(answer));
  });
}

/** One without metrics would have it easier. */
async function assertCountsBytes(adminPort: number): Promise<void> {
  const { body } = await get(adminPort, "/stats/prometheus", "localhost");
  if (!/^istio_tcp_received_bytes_total\{[^}]*\} [1-9]/m.test(body))
    throw new UserError(`${SUBJECT} does not count its bytes in istio_tcp_received_bytes_total`, "see its /stats/prometheus");
}
