// Captured connections at two workers, in a real network namespace: each worker asks the kernel where a connection was
// going, on both families.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { describe, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { makePodAndWorld } from "../support/network-namespace.ts";
import { address, listener, staticResources, tcpFilter, type Json } from "../support/proxy-plane.ts";

const MESHCTL = resolve(import.meta.dirname, "../../bin/meshctl");
const EACH = 12;
const within = { withinMs: 15_000 };

const LOG_FORMAT = "%CONNECTION_ID% %DOWNSTREAM_LOCAL_ADDRESS%\n";

function capturing(logFile: string): Json {
  const type = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog";
  const log = { "@type": type, path: logFile, log_format: { text_format_source: { inline_string: LOG_FORMAT } } };
  const filter = tcpFilter("PassthroughCluster", { access_log: [{ name: "envoy.access_loggers.file", typed_config: log }] });
  const originalDst = {
    name: "envoy.filters.listener.original_dst",
    typed_config: { "@type": "type.googleapis.com/envoy.extensions.filters.listener.original_dst.v3.OriginalDst" },
  };
  const outbound = listener([{ filters: [filter] }], {
    address: address(15001, "0.0.0.0"),
    additional_addresses: [{ address: address(15001, "::") }],
    listener_filters: [originalDst],
  });
  return staticResources([outbound], [{ name: "PassthroughCluster", type: "ORIGINAL_DST", lb_policy: "CLUSTER_PROVIDED" }]);
}

describe("two workers", { skip: process.getuid?.() === 0 ? false : "needs root for network namespaces" }, () => {
  test("know where a captured connection was going", async (context) => {
    await using net = await makePodAndWorld();
    const { pod, world } = net;
    await world.listen(0, "tcp:8080", "tcp:9090");
    const folder = mkdtempSync(join(tmpdir(), "meshctl-capture-"));
    const file = join(folder, "bootstrap.json");
    const logFile = join(folder, "access.log");
    writeFileSync(file, JSON.stringify(capturing(logFile)));
    // The proxy runs as root here, whose connections are therefore the ones that are left alone.
    const outcome = pod.run(MESHCTL, ["init", "-u", "0", "-g", "0", "-b", ""]);
    assert.equal(outcome.code, 0, outcome.stderr);
    const proxy = spawn("ip", ["netns", "exec", pod.name, MESHCTL, "proxy", "--bootstrap", file, "--concurrency", "2"], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    let log = "";
    proxy.stderr.setEncoding("utf8").on("data", (text: string) => (log += text));
    const exit = new Promise((done) => proxy.once("exit", done));
    context.after(async () => {
      proxy.kill("SIGKILL");
      await exit;
      rmSync(folder, { recursive: true });
    });
    await eventually(() => assert.match(log, /"proxy is live"/), within);

    for (let index = 0; index < EACH; index += 1) {
      assert.equal(pod.ask("tcp", "10.88.0.1", 8080), "8080 -");
      assert.equal(pod.ask("tcp", "fd88::1", 9090), "9090 -");
    }
    await eventually(() => {
      const lines = readFileSync(logFile, "utf8").split("\n").slice(0, -1);
      assert.equal(lines.filter((line) => line.endsWith(" 10.88.0.1:8080")).length, EACH);
      assert.equal(lines.filter((line) => line.endsWith(" [fd88::1]:9090")).length, EACH);
      assert.deepEqual([...new Set(lines.map((line) => parseInt(line) % 2))].sort(), [0, 1], "both workers served some");
    }, within);
  });
});
