// How soon a new controller serves a big cluster, and with how much memory: from the start of the process, over lists of
// the API server double by TLS, to the last byte of one sidecar's whole first configuration over ADS.
import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { join, resolve } from "node:path";
import { UserError } from "../../src/common/user-error.ts";
import { TypeUrl } from "../../src/xds/names.ts";
import { AdsTestClient, NODE, resourceNames } from "../../test/support/ads-test-client.ts";
import { Core, freePorts } from "../lab.ts";
import type { Lab } from "../lab.ts";
import type { Verdict } from "../report.ts";
import { startBigCluster } from "../subject/big-cluster.ts";

const LAUNCHER = join(resolve(import.meta.dirname, "../.."), "bin/meshctl");
const SERVICES = 1000;
const ENDPOINTS_EACH = 10;
const AT_MOST_S = 10;
const AT_MOST_MB = 300;
const GIVE_UP_MS = 60_000;
const SAMPLE_MS = 50;

export async function sync(lab: Lab, signal: AbortSignal, report: (verdict: Verdict) => void): Promise<void> {
  const api = await startBigCluster(SERVICES, ENDPOINTS_EACH);
  try {
    const kubeconfig = lab.write("kubeconfig", api.kubeconfig());
    const [port] = (await freePorts(1)) as [number];
    const flags = ["--xds-address", `127.0.0.1:${port}`, "--secure-address", "none", "--monitoring-address", "none"];
    const began = performance.now();
    const controller = lab.start("controller", Core.proxy, [LAUNCHER, "controller", "--kubeconfig", kubeconfig, ...flags], {
      MESHCTL_NO_BUILD: "1",
    });
    let peakMb = 0;
    const timer = setInterval(() => (peakMb = Math.max(peakMb, controller.rssAnonMb())), SAMPLE_MS);
    try {
      await listens(port, lab, signal);
      const servesAfterS = (performance.now() - began) / 1000;
      await firstConfiguration(port);
      const seconds = (performance.now() - began) / 1000;
      peakMb = Math.max(peakMb, controller.rssAnonMb());
      const what = `${SERVICES} Services with ${ENDPOINTS_EACH} endpoints each`;
      const cpu = `${controller.cpuSeconds().toFixed(1)} s of CPU`;
      report({
        text: `${what}: a sidecar has its configuration after ${seconds.toFixed(1)} s (served from ${servesAfterS.toFixed(1)} s on, ${cpu}), at most ${AT_MOST_S} wanted`,
        isReached: seconds <= AT_MOST_S,
      });
      report({
        text: `the controller's memory meanwhile: ${peakMb.toFixed(0)} MB at its peak, at most ${AT_MOST_MB} wanted`,
        isReached: peakMb <= AT_MOST_MB,
      });
    } finally {
      clearInterval(timer);
    }
  } finally {
    await api.stop();
  }
}

async function listens(port: number, lab: Lab, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + GIVE_UP_MS;
  while (performance.now() < deadline) {
    signal.throwIfAborted();
    lab.assertAllRun();
    const socket = connect(port, "127.0.0.1");
    const isOpen = await new Promise<boolean>((done) => socket.once("connect", () => done(true)).once("error", () => done(false)));
    socket.destroy();
    if (isOpen) return;
    await delay(SAMPLE_MS);
  }
  throw new UserError(`the controller serves nothing after ${GIVE_UP_MS / 1000} s`, "run meshctl controller by hand to see why");
}

/** Asks as a sidecar does, and resolves when clusters, endpoints, listeners and routes are all there. */
async function firstConfiguration(port: number): Promise<void> {
  const client = new AdsTestClient(`127.0.0.1:${port}`);
  const ask = async (typeUrl: string, names: readonly string[], wanted: number): Promise<string[]> => {
    client.send({ typeUrl, node: NODE, resourceNames: [...names] });
    const response = await client.next(GIVE_UP_MS);
    client.ack(response, names);
    const found = resourceNames(response);
    if (response.typeUrl !== typeUrl || found.length < wanted)
      throw new UserError(
        `${typeUrl}: ${found.length} resources instead of ${wanted}`,
        "the figures would mean nothing; mend the benchmark",
      );
    return found;
  };
  try {
    const clusters = await ask(TypeUrl.cluster, [], SERVICES);
    const outbound = clusters.filter((each) => each.startsWith("outbound|"));
    await ask(TypeUrl.endpoints, outbound, SERVICES);
    await ask(TypeUrl.listener, [], 1);
    await ask(TypeUrl.route, ["80"], 1);
  } finally {
    client.close();
  }
}
