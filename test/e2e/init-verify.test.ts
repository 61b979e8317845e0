// meshctl init --verify: passes where capture works, and where it doesn't names what is wrong.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readlinkSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { text } from "node:stream/consumers";
import { describe, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { makePodAndWorld, POD } from "../support/network-namespace.ts";
import type { NetworkNamespace, Outcome } from "../support/network-namespace.ts";

const MESHCTL = resolve(import.meta.dirname, "../../bin/meshctl");
const FAILED = 126;

function verify(namespace: NetworkNamespace, ...args: readonly string[]): Outcome {
  return namespace.run(MESHCTL, ["init", "--verify", "--probe-timeout", "500ms", ...args]);
}

function passes(outcome: Outcome, ...lines: readonly RegExp[]): void {
  assert.equal(outcome.code, 0, outcome.stderr);
  for (const line of lines) assert.match(outcome.stdout, line);
}

function fails(outcome: Outcome, message: RegExp, hint: RegExp): void {
  const [first = "", second = ""] = outcome.stderr.split("\n");
  assert.match(first, message);
  assert.match(second, hint);
  assert.equal(outcome.code, FAILED);
}

describe("meshctl init --verify", { skip: process.getuid?.() === 0 ? false : "needs root for network namespaces" }, () => {
  test("proves outbound and inbound capture on both families, and leaves nothing behind", async () => {
    await using net = await makePodAndWorld();
    const links = net.pod.sh("ip -o link; ip route");
    passes(
      verify(net.pod),
      /verified: IPv4 outbound: 198\.51\.100\.1:15002 arrived at port 15001/,
      /verified: IPv4 inbound: \S+:15002 arrived at port 15006/,
      /verified: IPv6 outbound: \[2001:db8::1\]:15002 arrived at port 15001/,
      /verified: IPv6 inbound: \S+:15002 arrived at port 15006/,
    );
    assert.equal(net.pod.sh("ip -o link; ip route"), links);
    passes(verify(net.pod, "--skip-rule-apply", "--iptables-probe-port", "4321"), /198\.51\.100\.1:4321/);
  });

  test("needs no default route", async () => {
    await using net = await makePodAndWorld();
    net.pod.sh("ip route del default; ip -6 route del default");
    passes(verify(net.pod), /IPv4 outbound: 10\.77\.0\.1:15002/, /IPv6 outbound: \[fd77::1\]:15002/);
  });

  test("tests what the lists leave to capture", async () => {
    await using net = await makePodAndWorld();
    passes(
      verify(net.pod, "-i", "10.96.0.0/12,fd96::/64", "-b", "8080", "-o", "15002"),
      /10\.96\.0\.1:15003/,
      /\[fd96::1\]:15003/,
      /IPv4 inbound: \S+:8080/,
    );
    passes(verify(net.pod, "--reconcile", "-i", "", "-q", "9090", "-b", ""), /outbound: 198\.51\.100\.1:9090/, /not tested: IPv4 inbound/);
    passes(verify(net.pod, "--reconcile", "-u", "0", "-g", "0", "--outbound-owner-groups", "500"), /IPv4 outbound: 198/);
    passes(verify(net.pod, "--reconcile", "-i", "127.1.2.3/32"), /IPv4 outbound: 127\.1\.2\.3:15002/, /not tested: IPv6 outbound/);
  });

  test("works over lo with NET_ADMIN and NET_RAW alone, as a Kubernetes init container has them", async () => {
    await using net = await makePodAndWorld();
    const outcome = net.pod.run("capsh", ["--drop=cap_sys_admin", "--", "-c", `exec ${MESHCTL} init --verify`]);
    passes(
      outcome,
      /IPv4 inbound over lo: 127\.0\.0\.6:15002 arrived at port 15006/,
      /IPv6 inbound over lo: \[::6\]:15002 arrived at port 15006/,
    );
  });

  test("works as root of a user namespace that knows the sidecar's user, and says so where it doesn't", async () => {
    const script = [
      "read go; ip link set lo up; ip link add eth0 type veth peer name far; ip link set far up",
      `ip addr add ${POD.v4}/24 dev eth0; ip link set eth0 up; exec ${MESHCTL} init --verify`,
    ].join("; ");
    const inNamespace = async (map: string): Promise<Outcome> => {
      const child = spawn("unshare", ["--user", "--net", "sh", "-c", script], { timeout: 20_000 });
      const closed = once(child, "close");
      const [stdout, stderr] = [text(child.stdout), text(child.stderr)];
      try {
        await eventually(() => assert.notEqual(readlinkSync(`/proc/${child.pid}/ns/user`), readlinkSync("/proc/self/ns/user")), {
          withinMs: 5000,
        });
        for (const kind of ["uid", "gid"]) writeFileSync(`/proc/${child.pid}/${kind}_map`, map);
      } finally {
        child.stdin.end("go\n");
      }
      const [code] = (await closed) as [number | null];
      return { code, stdout: await stdout, stderr: await stderr };
    };
    passes(await inNamespace("0 0 65536"), /verified: IPv4 outbound/, /verified: IPv4 inbound: /);
    const outcome = await inNamespace("0 0 1000");
    assert.match(outcome.stderr, /user 1337 does not exist in this user namespace/);
    assert.equal(outcome.code, 1);
  });

  test("says that there are no rules", async () => {
    await using net = await makePodAndWorld();
    fails(verify(net.pod, "--skip-rule-apply"), /IPv4 outbound: .*no rules of meshctl are in this network namespace/, /meshctl init/);
  });

  test("says which table is not as the options make it", async () => {
    await using net = await makePodAndWorld();
    passes(verify(net.pod));
    net.pod.sh("ip6tables-nft -t nat -F MESHCTL_REDIRECT");
    fails(verify(net.pod, "--skip-rule-apply"), /IPv6 outbound: .*the rules in nat are others/, /--reconcile/);
  });

  test("says that others' rules of the other backend decide first", async () => {
    await using net = await makePodAndWorld();
    const { pod } = net;
    pod.sh("iptables-legacy -A INPUT -p icmp -j ACCEPT");
    passes(verify(pod), /iptables-legacy/);
    pod.sh("iptables-nft -t nat -A OUTPUT -p tcp --dport 15002 -j DNAT --to-destination 10.77.0.1:9");
    fails(
      verify(pod, "--skip-rule-apply"),
      /meshctl's rules are in iptables-legacy, and other rules in iptables-nft decide first/,
      /iptables-nft-save/,
    );
  });

  test("says that rules above its own decide first", async () => {
    await using net = await makePodAndWorld();
    net.pod.sh("iptables-nft -t nat -A OUTPUT -p tcp -j ACCEPT");
    fails(verify(net.pod), /rules above meshctl's in nat OUTPUT decide first/, /remove them/);
  });

  test("says that the filter table may drop the connection", async () => {
    await using net = await makePodAndWorld();
    net.pod.sh("iptables-nft -A INPUT -p tcp --dport 15006 -j DROP");
    fails(verify(net.pod), /IPv4 inbound: .*filter table/, /iptables -S/);
  });

  test("says that there is no route", async () => {
    await using net = await makePodAndWorld();
    net.pod.sh("ip route del default");
    fails(verify(net.pod, "-i", "10.96.0.0/12"), /IPv4 outbound: no route to any captured address/, /ip route/);
  });

  test("says that lo is down", async () => {
    await using net = await makePodAndWorld();
    net.pod.sh("ip link set lo down");
    fails(verify(net.pod), /lo is down/, /ip link set lo up/);
  });

  test("says that a port is in use", async () => {
    await using net = await makePodAndWorld();
    await net.pod.listen(1337, "tcp:15006");
    fails(verify(net.pod), /port 15006 is already in use/, /before the sidecar starts/);
  });
});
