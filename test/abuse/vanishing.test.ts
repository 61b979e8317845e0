// Peers that are gone without a word, as when a machine loses its power: the link between two network namespaces is cut,
// so that neither FIN nor RST arrives.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { TestContext } from "node:test";
import { HelperProcess } from "../support/abuse/helper-process.ts";
import { abuse } from "../support/abuse/rounds.ts";
import { scaled } from "../support/abuse/scale.ts";
import { setMeshStage, setStage } from "../support/abuse/stage.ts";
import type { Place, Stage } from "../support/abuse/stage.ts";
import { eventually } from "../support/eventually.ts";
import { makePodAndWorld, POD, WORLD } from "../support/network-namespace.ts";
import type { NetworkNamespace } from "../support/network-namespace.ts";

const COUNT = scaled(300, 60);
const MANAGER = {
  manager: {
    stream_idle_timeout: "1s",
    request_headers_timeout: "1s",
    delayed_close_timeout: "0.5s",
    common_http_protocol_options: { idle_timeout: "2s" },
  },
  tcpProxy: { idle_timeout: "1s" },
};
const skip = process.getuid?.() === 0 ? false : "needs root for network namespaces";

async function makePlaces(context: TestContext): Promise<{ pod: Place; world: Place; link: (state: "up" | "down") => void }> {
  const net = await makePodAndWorld({ ipv6: false });
  context.after(() => net[Symbol.asyncDispose]());
  const place = (namespace: NetworkNamespace, ip: string): Place => ({ inside: ["ip", "netns", "exec", namespace.name], ip });
  return {
    pod: place(net.pod, POD.v4),
    world: place(net.world, WORLD.v4),
    link: (state) => void net.world.sh(`ip link set eth0 ${state}`),
  };
}

/** The status that a request to the proxy gets, by curl from the proxy's own place. */
async function statusOf(stage: Stage, path: string): Promise<string> {
  const url = `http://${stage.place.ip}:${stage.ports.http}${path}`;
  return stage.proxies[0]!.runBeside(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "15", url]);
}

describe("a peer that vanishes", { skip }, () => {
  test("as a client, in the middle of everything, is given up", async (context) => {
    const { pod, world, link } = await makePlaces(context);
    const stage = await setStage(context, { ...MANAGER, place: pod });
    await abuse(stage, async () => {
      link("up");
      const args = [pod.ip, String(stage.ports.http), String(stage.ports.tcp), String(COUNT)];
      await using client = await HelperProcess.start<"ready", never>("vanishing-client.ts", args, world.inside);
      assert.equal(client.ready, "ready");
      link("down");
    });
  });

  for (const [title, set] of [
    ["one proxy", setStage],
    ["two sidecars with mTLS between them", setMeshStage],
  ] as const) {
    test(`as the far end of ${title}, fails the requests to it in their time, and serves again when it is back`, async (context) => {
      const { pod, world, link } = await makePlaces(context);
      const stage = await set(context, { ...MANAGER, action: { timeout: "1s" }, place: pod, originPlace: world });
      link("up");
      assert.equal(await statusOf(stage, "/small"), "200");
      for (let round = 0; round < 2; round += 1) {
        link("down");
        const startedAt = performance.now();
        const statuses = await Promise.all(Array.from({ length: 10 }, () => statusOf(stage, "/small")));
        for (const each of statuses) assert.match(each, /^50[34]$/);
        assert.ok(performance.now() - startedAt < 8000, "requests took longer than their time");
        link("up");
        await eventually(async () => assert.equal(await statusOf(stage, "/small"), "200"), { withinMs: 10_000 });
      }
    });
  }
});
