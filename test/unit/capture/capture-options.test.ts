import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readCaptureOptions } from "../../../src/capture/capture-options.ts";
import { toCidr } from "../../../src/capture/option-values.ts";
import { UserError } from "../../../src/common/user-error.ts";
import { captureFlags, HOST_FILES } from "../../support/capture-flags.ts";

function read(changes: Readonly<Record<string, unknown>>, files = HOST_FILES) {
  return readCaptureOptions(captureFlags(changes), files);
}

describe("options of capture", () => {
  test("without flags capture everything but the sidecar's own ports, for user and group 1337", () => {
    const options = read({});
    assert.equal(options.inboundPorts, "*");
    assert.equal(options.outboundRanges, "*");
    assert.deepEqual(options.inboundPortsExcluded, [15090, 15021, 15020]);
    assert.deepEqual([options.outboundPort, options.inboundPort, options.probePort], [15001, 15006, 15002]);
    assert.deepEqual([options.proxyUids, options.proxyGids], [[1337], [1337]]);
    assert.equal(options.probeTimeoutMs, 5000);
  });

  test("take the group from the user when only the user is given", () => {
    assert.deepEqual(read({ proxyUid: "3,4" }).proxyGids, [3, 4]);
  });

  test("allow no proxy group at all", () => {
    assert.deepEqual(read({ proxyGid: "" }).proxyGids, []);
  });

  test("look names of users and groups up", () => {
    assert.deepEqual(read({ proxyUid: "proxy,7", proxyGid: "staff" }).proxyUids, [13, 7]);
  });

  test("ignore spaces around items and repeated ports", () => {
    assert.deepEqual(read({ istioInboundPorts: " 80, 8080 ,80" }).inboundPorts, [80, 8080]);
  });

  test("take nameservers of both families from resolv.conf, without zones", () => {
    assert.deepEqual(
      read({ redirectDns: true }).dns?.servers.map((each) => each.text),
      ["10.96.0.10/32", "10.96.0.11/32", "fd00:96::a/128"],
    );
  });

  const bad: readonly (readonly [Readonly<Record<string, unknown>>, RegExp])[] = [
    [{ istioInboundPorts: "80,x" }, /--istio-inbound-ports: 'x' is not a port/],
    [{ istioInboundPorts: "80,,81" }, /--istio-inbound-ports: an empty item is not a port/],
    [{ istioInboundPorts: "*,80" }, /'\*' is not a port/],
    [{ istioLocalExcludePorts: "0" }, /--istio-local-exclude-ports: '0' is not a port/],
    [{ istioOutboundPorts: "65536" }, /--istio-outbound-ports: '65536' is not a port/],
    [{ istioLocalOutboundPortsExclude: "-1" }, /--istio-local-outbound-ports-exclude: '-1' is not a port/],
    [{ envoyPort: "" }, /--envoy-port: an empty item is not a port/],
    [{ envoyPort: "15006" }, /both 15006/],
    [{ iptablesProbePort: "1e3" }, /--iptables-probe-port: '1e3' is not a port/],
    [{ istioServiceCidr: "10.0.0.1" }, /--istio-service-cidr: '10.0.0.1' is not an address range/],
    [{ istioServiceCidr: "10.0.0.0/33" }, /not an address range/],
    [{ istioServiceCidr: "fd00::/129" }, /not an address range/],
    [{ istioServiceCidr: "10.0.0/8" }, /not an address range/],
    [{ istioServiceCidr: "10.0.0.0/8/8" }, /not an address range/],
    [{ istioServiceCidr: "fe80::1%eth0/64" }, /not an address range/],
    [{ istioServiceExcludeCidr: "*" }, /--istio-service-exclude-cidr: '\*' is not an address range/],
    [{ outboundIpv4LoopbackCidr: "10.0.0.0/8" }, /not a range inside 127/],
    [{ proxyUid: "" }, /--proxy-uid is empty/],
    [{ proxyUid: "nobody-here" }, /--proxy-uid: 'nobody-here' is not a known user/],
    [{ proxyUid: "4294967295" }, /not a user id/],
    [{ proxyGid: "x y" }, /--proxy-gid: 'x y' is not a known group/],
    [{ istioExcludeInterfaces: "eth0;reboot x" }, /not the name of a network interface/],
    [{ istioExcludeInterfaces: "a-name-of-16-chars" }, /not the name of a network interface/],
    [{ kubeVirtInterfaces: "eth0/1" }, /--kube-virt-interfaces: 'eth0\/1'/],
    [{ istioInboundInterceptionMode: "TPROXY" }, /'TPROXY' is not supported/],
    [{ istioInboundInterceptionMode: "NONE" }, /'NONE' is not supported/],
    [{ istioInboundInterceptionMode: "redirect" }, /'redirect' is not an interception mode/],
    [{ probeTimeout: "5" }, /--probe-timeout: '5' is not a duration/],
    [{ probeTimeout: "0s" }, /not a duration/],
    [{ captureAllDns: true }, /--capture-all-dns needs --redirect-dns/],
    [{ outboundOwnerGroups: "1", outboundOwnerGroupsExclude: "2" }, /are both given/],
  ];
  for (const [flags, message] of bad) {
    test(`refuse ${JSON.stringify(flags)}`, () => {
      assert.throws(
        () => read(flags),
        (error: unknown) => error instanceof UserError && message.test(error.message) && error.hint !== undefined && error.exitCode === 1,
      );
    });
  }

  test("refuse DNS capture when resolv.conf names no server, unless every server is captured", () => {
    const files = { ...HOST_FILES, resolvConf: "search a\n" };
    assert.throws(() => read({ redirectDns: true }, files), /names no nameserver/);
    assert.deepEqual(read({ redirectDns: true, captureAllDns: true }, files).dns, { everyServer: true, servers: [] });
  });
});

describe("an address range", () => {
  const table: readonly (readonly [string, string | undefined])[] = [
    ["10.1.2.3/8", "10.0.0.0/8"],
    ["10.1.2.3/32", "10.1.2.3/32"],
    ["255.255.255.255/0", "0.0.0.0/0"],
    ["172.31.255.1/12", "172.16.0.0/12"],
    ["fd12:3456::1/7", "fc00::/7"],
    ["2001:DB8:0:0::1/64", "2001:db8::/64"],
    ["2001:db8:1:2:3:4:5:6/128", "2001:db8:1:2:3:4:5:6/128"],
    ["::/0", "::/0"],
    ["::1/128", "::1/128"],
    ["::ffff:10.0.0.1/120", "::ffff:a00:0/120"],
    ["10.0.0.1", undefined],
    ["10.0.0.0/-1", undefined],
    ["/8", undefined],
    ["host/8", undefined],
  ];
  for (const [text, expected] of table) {
    test(`${text} is ${expected ?? "none"}`, () => assert.equal(toCidr(text)?.text, expected));
  }
});
