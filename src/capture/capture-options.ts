// What `meshctl init` was asked to capture, as checked plain data: from the texts of the flags, the user database and
// resolv.conf to the input of the rules. Names and meanings are istio-iptables' (reference: its command-line flags).
import { isIP } from "node:net";
import { UserError } from "../common/user-error.ts";
import {
  readCidrs,
  readCidrsOrAll,
  readDurationMs,
  readInterfaces,
  readOwners,
  readPort,
  readPorts,
  readPortsOrAll,
  splitList,
  toCidr,
} from "./option-values.ts";
import type { Cidr } from "./option-values.ts";

export interface DnsCapture {
  /** Capture port 53 towards any server; otherwise only towards the listed ones. */
  readonly everyServer: boolean;
  /** The nameservers of resolv.conf, as /32 and /128. */
  readonly servers: readonly Cidr[];
}

export interface CaptureOptions {
  readonly outboundPort: number;
  readonly inboundPort: number;
  readonly proxyUids: readonly number[];
  readonly proxyGids: readonly number[];
  readonly inboundPorts: readonly number[] | "*";
  readonly inboundPortsExcluded: readonly number[];
  readonly outboundRanges: readonly Cidr[] | "*";
  readonly outboundRangesExcluded: readonly Cidr[];
  readonly outboundPorts: readonly number[];
  readonly outboundPortsExcluded: readonly number[];
  readonly interfacesExcluded: readonly string[];
  /** Interfaces of virtual machines in the pod: what comes in from them is treated as outbound. */
  readonly virtualInterfaces: readonly string[];
  /** Capture only these groups' connections; empty means everybody's. */
  readonly ownerGroups: readonly number[];
  readonly ownerGroupsExcluded: readonly number[];
  /** Destinations that stay local, instead of 127.0.0.1/32. */
  readonly loopbackV4: string;
  readonly dns: DnsCapture | undefined;
  readonly dropInvalid: boolean;
  /** Capture IPv6 also where no interface has an address of it yet. */
  readonly dualStack: boolean;
  readonly probePort: number;
  readonly probeTimeoutMs: number;
}

/** The flags' texts, keyed as commander keys them. */
export type RawOptions = Readonly<Record<string, unknown>>;

/** What the machine's files say; text of each, empty when it doesn't exist. */
export interface HostFiles {
  readonly passwd: string;
  readonly group: string;
  readonly resolvConf: string;
}

/** Checks every value. Throws UserError at the first bad one. */
export function readCaptureOptions(raw: RawOptions, files: HostFiles): CaptureOptions {
  const text = (key: string): string => {
    const value = raw[key];
    return typeof value === "string" ? value.trim() : "";
  };
  requireRedirectMode(text("istioInboundInterceptionMode"));
  const outboundPort = readPort("--envoy-port", text("envoyPort"));
  const inboundPort = readPort("--inbound-capture-port", text("inboundCapturePort"));
  if (outboundPort === inboundPort) {
    throw new UserError(
      `--envoy-port and --inbound-capture-port are both ${outboundPort}`,
      "outbound and inbound traffic need a port each",
    );
  }
  const proxyUids = readOwners("--proxy-uid", "user", text("proxyUid"), files.passwd);
  if (proxyUids.length === 0) throw new UserError("--proxy-uid is empty", "without it the sidecar would capture its own connections");
  const gidText = raw.proxyGid === undefined ? proxyUids.join(",") : text("proxyGid");
  const excludedRanges = text("istioServiceExcludeCidr");
  if (excludedRanges === "*") {
    throw new UserError(
      "--istio-service-exclude-cidr: '*' is not an address range",
      "to capture nothing outbound, use --istio-service-cidr ''",
    );
  }
  const ownerGroups = readOwnerGroups(text("outboundOwnerGroups"), text("outboundOwnerGroupsExclude"), files.group);
  return {
    outboundPort,
    inboundPort,
    proxyUids,
    proxyGids: readOwners("--proxy-gid", "group", gidText, files.group),
    inboundPorts: readPortsOrAll("--istio-inbound-ports", text("istioInboundPorts")),
    inboundPortsExcluded: readPorts("--istio-local-exclude-ports", text("istioLocalExcludePorts")),
    outboundRanges: readCidrsOrAll("--istio-service-cidr", text("istioServiceCidr")),
    outboundRangesExcluded: readCidrs("--istio-service-exclude-cidr", excludedRanges),
    outboundPorts: readPorts("--istio-outbound-ports", text("istioOutboundPorts")),
    outboundPortsExcluded: readPorts("--istio-local-outbound-ports-exclude", text("istioLocalOutboundPortsExclude")),
    interfacesExcluded: readInterfaces("--istio-exclude-interfaces", text("istioExcludeInterfaces")),
    virtualInterfaces: readInterfaces("--kube-virt-interfaces", text("kubeVirtInterfaces")),
    ...ownerGroups,
    loopbackV4: readLoopback(text("outboundIpv4LoopbackCidr")),
    dns: readDns(raw.redirectDns === true, raw.captureAllDns === true, files.resolvConf),
    dropInvalid: raw.dropInvalid === true,
    dualStack: raw.dualStack === true,
    probePort: readPort("--iptables-probe-port", text("iptablesProbePort")),
    probeTimeoutMs: readDurationMs("--probe-timeout", text("probeTimeout")),
  };
}

function requireRedirectMode(mode: string): void {
  if (mode === "REDIRECT") return;
  const known = mode === "TPROXY" || mode === "NONE";
  throw new UserError(
    `--istio-inbound-interception-mode: '${mode}' is not ${known ? "supported" : "an interception mode"}`,
    mode === "NONE" ? "to capture nothing, don't run meshctl init" : "use REDIRECT",
  );
}

function readOwnerGroups(include: string, exclude: string, database: string): Pick<CaptureOptions, "ownerGroups" | "ownerGroupsExcluded"> {
  const every = include === "" || include === "*";
  if (!every && exclude !== "") {
    throw new UserError(
      "--outbound-owner-groups and --outbound-owner-groups-exclude are both given",
      "name the groups to capture, or those not to",
    );
  }
  return {
    ownerGroups: every ? [] : readOwners("--outbound-owner-groups", "group", include, database),
    ownerGroupsExcluded: readOwners("--outbound-owner-groups-exclude", "group", exclude, database),
  };
}

function readLoopback(text: string): string {
  const cidr = toCidr(text);
  if (cidr === undefined || cidr.family !== "ipv4" || !cidr.text.startsWith("127.")) {
    throw new UserError(`--outbound-ipv4-loopback-cidr: '${text}' is not a range inside 127.0.0.0/8`, "use 127.0.0.1/32 or 127.0.0.0/8");
  }
  return cidr.text;
}

function readDns(redirect: boolean, everyServer: boolean, resolvConf: string): DnsCapture | undefined {
  if (!redirect) {
    if (everyServer) throw new UserError("--capture-all-dns needs --redirect-dns", "add --redirect-dns");
    return undefined;
  }
  const servers = everyServer ? [] : nameservers(resolvConf);
  if (!everyServer && servers.length === 0) {
    throw new UserError(
      "--redirect-dns: /etc/resolv.conf names no nameserver",
      "add one there, or capture every server with --capture-all-dns",
    );
  }
  return { everyServer, servers };
}

/** resolv.conf(5): `nameserver ADDRESS`, a zone after % cut off (iptables can't match it). */
function nameservers(resolvConf: string): readonly Cidr[] {
  const found = new Map<string, Cidr>();
  for (const line of resolvConf.split("\n")) {
    const [keyword, address = ""] = splitList(line.replace(/\s+/g, ","));
    const plain = address.replace(/%.*$/, "");
    if (keyword !== "nameserver" || isIP(plain) === 0) continue;
    const cidr = toCidr(`${plain}/${isIP(plain) === 4 ? 32 : 128}`);
    if (cidr !== undefined) found.set(cidr.text, cidr);
  }
  return [...found.values()];
}
