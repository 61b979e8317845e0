// meshctl init in real network namespaces: real iptables, both backends, both families.
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { describe, test } from "node:test";
import { makePodAndWorld, POD, WORLD } from "../support/network-namespace.ts";
import type { NetworkNamespace, Outcome, PodAndWorld } from "../support/network-namespace.ts";

const MESHCTL = resolve(import.meta.dirname, "../../bin/meshctl");
const SIDECAR = 1337;
// DNS by UDP on loopback only: an answer from a wildcard socket would come from the pod's address, which is not the one
// that the question was redirected to, and so never reach the application.
const SIDECAR_PLACES = ["tcp:15001", "tcp:15006", "tcp:15053", "local-udp:15053"];

function init(namespace: NetworkNamespace, ...args: readonly string[]): Outcome {
  return namespace.run(MESHCTL, ["init", ...args]);
}

function succeeds(outcome: Outcome): string {
  assert.equal(outcome.code, 0, outcome.stderr);
  return outcome.stdout;
}

function fails(outcome: Outcome, code: number, message: RegExp): void {
  assert.match(outcome.stderr, message);
  assert.equal(outcome.code, code);
}

/** A PATH on which the named programs are there and always fail. */
async function programsThatFail(...names: readonly string[]): Promise<AsyncDisposable & { readonly path: string }> {
  const folder = await mkdtemp(join(tmpdir(), "meshctl-init-"));
  for (const name of names) await writeFile(join(folder, name), "#!/bin/sh\necho not today >&2\nexit 1\n", { mode: 0o755 });
  return { path: `${folder}:${process.env.PATH ?? ""}`, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
}

/** A pod and world in which the sidecar's ports and a few of the world's are answered. */
async function servedPod(...worldPlaces: readonly string[]): Promise<PodAndWorld> {
  const net = await makePodAndWorld();
  try {
    await net.pod.listen(SIDECAR, ...SIDECAR_PLACES);
    await net.world.listen(0, "tcp:8080", ...worldPlaces);
  } catch (error) {
    await net[Symbol.asyncDispose]();
    throw error;
  }
  return net;
}

describe("meshctl init", { skip: process.getuid?.() === 0 ? false : "needs root for network namespaces" }, () => {
  test("applies, changes nothing when it runs again, and cleanup leaves the rules byte for byte as before", async () => {
    await using net = await makePodAndWorld();
    const { pod } = net;
    pod.sh("iptables-nft -t nat -A OUTPUT -d 10.99.0.1 -j ACCEPT; ip6tables-nft -t filter -A INPUT -p icmpv6 -j ACCEPT");
    const before = pod.rules();
    const flags = ["--redirect-dns", "--capture-all-dns", "--drop-invalid", "-o", "22", "-x", "10.1.0.0/16", "-c", "eth9", "-k", "vnet0"];
    assert.match(succeeds(init(pod, ...flags)), /traffic capture is set up.*IPv4 and IPv6/);
    const applied = pod.rules();
    assert.notEqual(applied, before);
    assert.match(pod.sh("ip -6 addr show dev lo"), /::6\/128/);

    assert.match(succeeds(init(pod, ...flags)), /nothing to do/);
    assert.equal(pod.rules(), applied);

    assert.match(succeeds(init(pod, "--cleanup")), /is removed/);
    assert.equal(pod.rules(), before);
    assert.doesNotMatch(pod.sh("ip -6 addr show dev lo"), /::6\/128/);
    assert.match(succeeds(init(pod, "--cleanup")), /nothing to remove/);
  });

  test("leaves no table behind in a namespace that had none", async () => {
    await using net = await makePodAndWorld();
    const before = net.pod.rules();
    succeeds(init(net.pod, "--redirect-dns", "--capture-all-dns"));
    succeeds(init(net.pod, "--cleanup-only"));
    assert.equal(net.pod.rules(), before);
    assert.equal(net.pod.sh("nft list ruleset"), "");
  });

  test("prints with --dry-run what iptables-restore takes, and makes of it the rules that init makes", async () => {
    await using net = await makePodAndWorld();
    const { pod } = net;
    const flags = ["--redirect-dns", "--capture-all-dns", "-k", "vnet0", "-i", "10.0.0.0/8,fd00::/8", "--drop-invalid"];
    const before = pod.rules();
    const printed = succeeds(init(pod, ...flags, "-n"));
    assert.equal(pod.rules(), before);
    const [v4 = "", v6 = ""] = printed.split("# ip -6 addr add");
    assert.equal(pod.run("iptables-restore", ["--noflush"], v4).code, 0);
    assert.equal(pod.run("ip6tables-restore", ["--noflush"], v6.replace(/^.*\n/, "")).code, 0);
    pod.sh("ip -6 addr add ::6/128 dev lo");
    assert.match(succeeds(init(pod, ...flags)), /nothing to do/);
  });

  test("prints with --dry-run for a user without rights", async () => {
    await using net = await makePodAndWorld();
    const outcome = net.pod.run("setpriv", [
      "--reuid=1000",
      "--regid=1000",
      "--clear-groups",
      process.execPath,
      resolve(MESHCTL, "../../dist/main.js"),
      "init",
      "-n",
    ]);
    assert.match(succeeds(outcome), /-A MESHCTL_OUTPUT -j MESHCTL_REDIRECT/);
  });

  test("is done within 300 ms", async () => {
    await using net = await makePodAndWorld();
    init(net.pod, "-n");
    const timesMs = [1, 2, 3].map(() => {
      init(net.pod, "--cleanup");
      const start = performance.now();
      succeeds(init(net.pod));
      return performance.now() - start;
    });
    assert.ok(Math.min(...timesMs) < 300, `${timesMs.map(Math.round).join(", ")} ms`);
  });

  test("captures outbound connections of the application, and only those, on both families", async () => {
    await using net = await servedPod("tcp:22", "tcp:9090");
    const { pod } = net;
    succeeds(init(pod, "-o", "22", "-x", "10.88.0.0/16,fd88::/16"));
    for (const [address, excluded] of [
      [WORLD.v4, "10.88.0.1"],
      [WORLD.v6, "fd88::1"],
    ] as const) {
      assert.equal(pod.ask("tcp", address, 8080), `15001 ${address} 8080`);
      assert.equal(pod.ask("tcp", address, 8080, SIDECAR), "8080 -", "the sidecar's own traffic leaves");
      assert.equal(pod.ask("tcp", address, 22), "22 -", "an excluded port");
      assert.equal(pod.ask("tcp", excluded, 8080), "8080 -", "an excluded range");
    }
  });

  test("captures what the lists name and nothing else", async () => {
    await using net = await servedPod("tcp:9090");
    const { pod, world } = net;
    await pod.listen(1000, "tcp:7000", "tcp:7001");
    succeeds(init(pod, "-i", "10.88.0.0/16", "-q", "9090", "-b", "7000"));
    assert.equal(pod.ask("tcp", "10.88.0.1", 8080), "15001 10.88.0.1 8080");
    assert.equal(pod.ask("tcp", WORLD.v4, 8080), "8080 -");
    assert.equal(pod.ask("tcp", WORLD.v4, 9090), `15001 ${WORLD.v4} 9090`);
    assert.equal(world.ask("tcp", POD.v4, 7000), `15006 ${POD.v4} 7000`);
    assert.equal(world.ask("tcp", POD.v4, 7001), "7001 -");
  });

  test("captures inbound connections but those to the sidecar's own ports, on both families", async () => {
    await using net = await servedPod();
    const { pod, world } = net;
    await pod.listen(1000, "tcp:7000", "tcp:15021", "tcp:7009");
    succeeds(init(pod, "-d", "15021,7009"));
    for (const address of [POD.v4, POD.v6]) {
      assert.equal(world.ask("tcp", address, 7000), `15006 ${address} 7000`);
      assert.equal(world.ask("tcp", address, 15021), "15021 -");
      assert.equal(world.ask("tcp", address, 7009), "7009 -");
      assert.equal(pod.ask("tcp", address, 7000), "7000 -", "the application calls itself");
      assert.equal(pod.ask("tcp", address, 7000, SIDECAR), `15006 ${address} 7000`, "the sidecar calls its own pod as another would");
    }
    assert.equal(pod.ask("tcp", "127.0.0.1", 7000), "7000 -");
    assert.equal(pod.ask("tcp", "127.0.0.1", 7000, SIDECAR), "7000 -", "the sidecar reaches its application");
  });

  test("spares excluded interfaces", async () => {
    await using net = await servedPod();
    const { pod, world } = net;
    await pod.listen(1000, "tcp:7000");
    succeeds(init(pod, "-c", "eth0"));
    assert.equal(pod.ask("tcp", WORLD.v4, 8080), "8080 -");
    assert.equal(world.ask("tcp", POD.v4, 7000), "7000 -");
  });

  test("treats what comes in from a virtual machine's interface as outbound", async () => {
    await using net = await servedPod();
    const { pod, world } = net;
    succeeds(init(pod, "-k", "eth0"));
    world.sh(`ip route add 10.66.0.0/16 via ${POD.v4}`);
    assert.equal(world.ask("tcp", "10.66.0.9", 80), "15001 10.66.0.9 80");
  });

  test("captures DNS by UDP and TCP, and leaves the sidecar's own questions alone", async () => {
    await using net = await servedPod("udp:53", "tcp:53");
    const { pod } = net;
    assert.equal(pod.ask("udp", WORLD.v4, 53), "53");
    succeeds(init(pod, "--redirect-dns", "--capture-all-dns"));
    for (const address of [WORLD.v4, WORLD.v6]) {
      assert.equal(pod.ask("udp", address, 53), "15053");
      assert.equal(pod.ask("tcp", address, 53), `15053 ${address} 53`);
      assert.equal(pod.ask("udp", address, 53, SIDECAR), "53");
      assert.equal(pod.ask("tcp", address, 53, SIDECAR), "53 -");
    }
  });

  test("keeps the sidecar's questions apart from the application's from the same port", async () => {
    await using net = await servedPod("udp:53");
    const { pod } = net;
    succeeds(init(pod, "--redirect-dns", "--capture-all-dns"));
    assert.equal(pod.askFrom(40000, WORLD.v4, 53), "15053");
    assert.equal(pod.askFrom(40000, WORLD.v4, 53, SIDECAR), "53");
  });

  for (const [mesh, chain] of [
    ["Istio", "ISTIO_OUTPUT"],
    ["Linkerd", "PROXY_INIT_OUTPUT"],
  ] as const) {
    for (const backend of ["nft", "legacy"]) {
      test(`refuses a namespace that ${mesh} captures with iptables-${backend}, and changes nothing`, async () => {
        await using net = await makePodAndWorld();
        net.pod.sh(`iptables-${backend} -t nat -N ${chain}; iptables-${backend} -t nat -A OUTPUT -j ${chain}`);
        const before = net.pod.rules();
        fails(init(net.pod), 1, new RegExp(`captured by ${mesh} already: chains nat/${chain}`));
        assert.equal(net.pod.rules(), before);
      });
    }
  }

  test("refuses other rules of its own, and replaces them with --reconcile", async () => {
    await using net = await makePodAndWorld();
    const { pod } = net;
    succeeds(init(pod, "-b", "80", "--redirect-dns", "--capture-all-dns"));
    const before = pod.rules();
    fails(init(pod), 1, /other rules of meshctl than these options make \(IPv4 raw, IPv4 nat, IPv6 raw, IPv6 nat\)/);
    assert.equal(pod.rules(), before);
    succeeds(init(pod, "--reconcile"));
    assert.match(succeeds(init(pod)), /nothing to do/);
    assert.doesNotMatch(pod.rules(), /MESHCTL_OUTPUT_DNS/);
  });

  test("finishes what an interrupted run began", async () => {
    await using net = await makePodAndWorld();
    const { pod } = net;
    const flags = ["--redirect-dns", "--capture-all-dns"];
    succeeds(init(pod, ...flags));
    const whole = pod.rules();
    for (const half of ["nft delete table ip nat", "nft delete table ip6 raw; nft delete table ip6 nat", "ip -6 addr del ::6/128 dev lo"]) {
      pod.sh(half);
      assert.match(succeeds(init(pod, ...flags)), /is set up/);
      assert.equal(pod.rules(), whole);
    }
  });

  test("cleans up whatever part of it is left", async () => {
    await using net = await makePodAndWorld();
    const { pod } = net;
    const before = pod.rules();
    succeeds(init(pod, "--redirect-dns", "--capture-all-dns"));
    pod.sh(
      "iptables-nft -t nat -D OUTPUT -j MESHCTL_OUTPUT; iptables-nft -t nat -F MESHCTL_OUTPUT; nft delete table ip6 nat; iptables-nft -t raw -D PREROUTING -j MESHCTL_INBOUND",
    );
    succeeds(init(pod, "--cleanup"));
    assert.equal(pod.rules(), before);
  });

  test("puts IPv4 back when IPv6 can't be applied", async () => {
    await using net = await makePodAndWorld();
    const { pod } = net;
    pod.sh(
      "ip6tables-nft -t nat -N KEEP; iptables-nft -t nat -A OUTPUT -d 10.9.9.9 -j ACCEPT; echo 1 > /proc/sys/net/ipv6/conf/lo/disable_ipv6",
    );
    const before = pod.rules();
    fails(init(pod), 1, /can't add the address ::6 on lo/);
    assert.equal(pod.rules(), before);
  });

  test("puts every table back when a later one fails", async () => {
    await using net = await makePodAndWorld();
    const { pod } = net;
    pod.sh("iptables-nft -t nat -A OUTPUT -d 10.9.9.9 -j ACCEPT");
    succeeds(init(pod, "-b", "80"));
    const before = pod.rules();
    await using broken = await programsThatFail("ip6tables-nft-restore");
    const flags = ["--reconcile", "--redirect-dns", "--capture-all-dns"];
    fails(pod.run("env", [`PATH=${broken.path}`, MESHCTL, "init", ...flags]), 1, /ip6tables-nft-restore failed: not today/);
    assert.equal(pod.rules(), before);
  });

  test("falls back on the other backend where the first one fails and no rules are", async () => {
    await using net = await servedPod();
    const { pod } = net;
    await using broken = await programsThatFail("iptables-nft-restore");
    assert.match(succeeds(pod.run("env", [`PATH=${broken.path}`, MESHCTL, "init"])), /iptables-legacy/);
    assert.equal(pod.ask("tcp", WORLD.v4, 8080), `15001 ${WORLD.v4} 8080`);
  });

  test("captures only IPv4 in a pod without IPv6, and both with --dual-stack", async () => {
    await using net = await makePodAndWorld({ ipv6: false });
    assert.match(succeeds(init(net.pod)), /\[IPv4, /);
    assert.match(succeeds(init(net.pod, "--dual-stack")), /\[IPv4 and IPv6, /);
    fails(init(net.pod), 1, /IPv6 nat/);
  });

  test("goes to iptables-legacy where legacy rules stand", async () => {
    await using net = await servedPod();
    const { pod } = net;
    pod.sh("iptables-legacy -A INPUT -p icmp -j ACCEPT");
    assert.match(succeeds(init(pod)), /iptables-legacy/);
    assert.equal(pod.ask("tcp", WORLD.v4, 8080), `15001 ${WORLD.v4} 8080`);
    assert.match(succeeds(init(pod)), /nothing to do/);
    succeeds(init(pod, "--cleanup"));
    assert.doesNotMatch(pod.rules(), /MESHCTL/);
  });

  test("says which capability is missing", async () => {
    await using net = await makePodAndWorld();
    const without = (capability: string): Outcome =>
      net.pod.run("setpriv", ["--bounding-set", `-${capability}`, "--inh-caps", `-${capability}`, MESHCTL, "init"]);
    fails(without("net_admin"), 1, /needs the capability NET_ADMIN/);
    net.pod.sh("iptables-legacy -A INPUT -p icmp -j ACCEPT");
    fails(without("net_raw"), 1, /NET_RAW/);
    assert.doesNotMatch(net.pod.rules(), /MESHCTL/);
  });

  test("names the Debian packages where iptables is not installed", async () => {
    await using net = await makePodAndWorld();
    const hidden = `mount -t tmpfs none /usr/sbin && exec ${MESHCTL} init`;
    fails(net.pod.run("unshare", ["--mount", "sh", "-c", hidden]), 1, /iptables-restore is not installed\n {2}apt-get install -y iptables/);
  });

  test("refuses bad values with a message of one line and a hint", async () => {
    await using net = await makePodAndWorld();
    fails(
      init(net.pod, "-i", "10.0.0.1"),
      1,
      /^meshctl: --istio-service-cidr: '10.0.0.1' is not an address range\n {2}write 10.0.0.1\/32\n$/,
    );
    fails(init(net.pod, "--no-such-flag"), 64, /unknown option '--no-such-flag'/);
    fails(init(net.pod, "--skip-rule-apply"), 1, /nothing to do/);
    assert.doesNotMatch(net.pod.rules(), /MESHCTL/);
  });
});
