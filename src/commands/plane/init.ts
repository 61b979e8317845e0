// `meshctl init`: captures a pod's traffic with iptables. Flags, long and short, are istio-iptables' where it has them;
// the three that read the environment have no flag there.
import type { Command, Flag } from "../../cli/command.ts";
import { Port, PROXY_UID } from "../../xds/names.ts";

const capture: readonly Flag[] = [
  { flags: "-p, --envoy-port <port>", description: "port of the sidecar to which outbound connections go", default: String(Port.outbound) },
  {
    flags: "-z, --inbound-capture-port <port>",
    description: "port of the sidecar to which inbound connections go",
    default: String(Port.inbound),
  },
  {
    flags: "-u, --proxy-uid <uids>",
    description: "users whose connections are the sidecar's own: ids or names, comma separated",
    default: String(PROXY_UID),
  },
  { flags: "-g, --proxy-gid <gids>", description: "groups whose connections are the sidecar's own (default: as --proxy-uid)" },
  {
    flags: "-m, --istio-inbound-interception-mode <mode>",
    description: "how inbound connections reach the sidecar: REDIRECT",
    default: "REDIRECT",
  },
  {
    flags: "-b, --istio-inbound-ports <ports>",
    description: "inbound ports to capture, comma separated; * is every port, '' none",
    default: "*",
  },
  {
    flags: "-d, --istio-local-exclude-ports <ports>",
    description: "inbound ports not to capture; counts when -b is *",
    default: [Port.prometheus, Port.ready, Port.mergedMetrics].join(","),
  },
  {
    flags: "-i, --istio-service-cidr <cidrs>",
    description: "destinations to capture, comma separated ranges; * is every address, '' none",
    default: "*",
  },
  {
    flags: "-x, --istio-service-exclude-cidr <cidrs>",
    description: "destinations not to capture",
    default: "",
  },
  { flags: "-q, --istio-outbound-ports <ports>", description: "outbound ports to capture besides -i's destinations", default: "" },
  { flags: "-o, --istio-local-outbound-ports-exclude <ports>", description: "outbound ports not to capture", default: "" },
  {
    flags: "-c, --istio-exclude-interfaces <names>",
    description: "network interfaces whose traffic is not captured",
    default: "",
  },
  {
    flags: "-k, --kube-virt-interfaces <names>",
    description: "interfaces of virtual machines: what they send is captured as outbound",
    default: "",
  },
  {
    flags: "--outbound-owner-groups <groups>",
    description: "capture outbound connections of these groups only (ids or names)",
    default: "",
    env: "ISTIO_OUTBOUND_OWNER_GROUPS",
  },
  {
    flags: "--outbound-owner-groups-exclude <groups>",
    description: "groups whose outbound connections are not captured",
    default: "",
    env: "ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE",
  },
  {
    flags: "--outbound-ipv4-loopback-cidr <cidr>",
    description: "IPv4 destinations that stay in the pod",
    default: "127.0.0.1/32",
    env: "ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR",
  },
  {
    flags: "--redirect-dns",
    description: `send DNS questions to the nameservers of /etc/resolv.conf to the sidecar (port ${Port.dns})`,
  },
  { flags: "--capture-all-dns", description: "with --redirect-dns: DNS questions to any server" },
  { flags: "--drop-invalid", description: "drop packets that belong to no connection, instead of resetting it" },
  {
    flags: "--dual-stack",
    description: "capture IPv6 also while the pod has no IPv6 address (where it has one, it is captured anyway)",
  },
];

const action: readonly Flag[] = [
  { flags: "-n, --dry-run", description: "print what would be applied and change nothing; needs no rights" },
  { flags: "--cleanup", description: "remove everything that meshctl init ever adds" },
  { flags: "--cleanup-only", description: "the same as --cleanup" },
  { flags: "--reconcile", description: "replace meshctl's rules where they are others than these options make" },
  { flags: "--force-apply", description: "write the rules again, also where nothing differs" },
  { flags: "--skip-rule-apply", description: "change nothing: with --verify, test the rules that are there" },
  { flags: "--verify", description: "prove with connections of its own that capture works" },
  { flags: "--run-validation", description: "the same as --verify" },
  { flags: "--iptables-probe-port <port>", description: "destination port of --verify's connections", default: String(Port.probe) },
  { flags: "--probe-timeout <duration>", description: "how long --verify waits for a connection to arrive", default: "5s" },
];

export const init: Command = {
  name: "init",
  summary: "Capture a pod's traffic with iptables",
  description:
    "Captures the TCP traffic of this network namespace for the sidecar, with iptables. Running it twice changes nothing; other " +
    "people's rules are left alone; when it fails, nothing has changed. IPv6 is captured where the pod has it.\n\n" +
    "Exit codes: 0 done, 1 failed (nothing changed), 64 wrong usage, 126 --verify found that capture doesn't work (the rules stay).",
  flags: [...capture, ...action],
  examples: [
    "meshctl init --dry-run                        show the rules, change nothing",
    "meshctl init -b 8080 -x 10.0.0.0/8 --verify   one port in, all but a range out",
    "meshctl init --redirect-dns                   DNS too",
    "meshctl init --cleanup                        as if it had never run",
  ],
  load: () => import("./init-run.ts").then((module) => module.run),
};
