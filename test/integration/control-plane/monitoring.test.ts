// The monitoring port of a real controller, from its own loopback and from the network.
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { eventually } from "../../support/eventually.ts";
import { NetworkNamespace } from "../../support/network-namespace.ts";

const MESHCTL = resolve(import.meta.dirname, "../../../bin/meshctl");
const canRun = process.platform === "linux" && process.getuid?.() === 0;
const ADDRESS = { v4: "10.77.0.9", v6: "fd77::9" };

describe("the monitoring port", { skip: !canRun && "needs root" }, () => {
  const folder = mkdtempSync(join(tmpdir(), "meshctl-monitoring-"));
  let namespace: NetworkNamespace;
  let controller: ChildProcess;
  const status = (host: string, path: string): string =>
    namespace.run("curl", ["-s", "-g", "-o", "/dev/null", "-w", "%{http_code}", `http://${host}:15014${path}`]).stdout;
  before(async () => {
    namespace = new NetworkNamespace();
    namespace.sh(`ip link set lo up; ip addr add ${ADDRESS.v4}/32 dev lo; ip -6 addr add ${ADDRESS.v6}/128 dev lo nodad`);
    const args = ["controller", "--source", folder, "--monitoring-address", "[::]:15014"];
    controller = spawn("ip", ["netns", "exec", namespace.name, MESHCTL, ...args], { stdio: "ignore" });
    await eventually(() => assert.equal(status("127.0.0.1", "/ready"), "200"), { withinMs: 20_000 });
  });
  after(async () => {
    if (controller?.exitCode === null && controller.kill("SIGKILL")) await once(controller, "exit");
    await namespace?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  test("answers /debug on loopback only", () => {
    for (const path of ["/debug/syncz", "/debug/registryz", "/debug/problems"]) {
      for (const host of ["127.0.0.1", "[::1]"]) assert.equal(status(host, path), "200", `${host}${path}`);
      for (const host of [ADDRESS.v4, `[${ADDRESS.v6}]`]) assert.equal(status(host, path), "403", `${host}${path}`);
    }
    assert.match(namespace.run("curl", ["-s", `http://${ADDRESS.v4}:15014/debug/syncz`]).stdout, /loopback of this pod only/);
  });

  test("answers 400 to a target that is none", () => {
    const answer = namespace.run("curl", ["-s", "--path-as-is", "-w", "%{http_code}", "http://127.0.0.1:15014//"]).stdout;
    assert.equal(answer, "the request's target can't be read\n400");
  });

  test("tells everybody that it is ready, its version and its metrics", () => {
    for (const path of ["/ready", "/version", "/metrics"]) {
      for (const host of ["127.0.0.1", ADDRESS.v4, `[${ADDRESS.v6}]`]) assert.equal(status(host, path), "200", `${host}${path}`);
    }
  });
});
