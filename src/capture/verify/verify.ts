// --verify: proves with real connections that capture works. It listens in the sidecar's place, connects outbound as an
// application would and inbound as a stranger would, and reads from the arrived connection where it had been going.
import { networkInterfaces } from "node:os";
import type { Server } from "node:net";
import { formatAddress } from "../../common/address.ts";
import type { CaptureOptions } from "../capture-options.ts";
import { explainMiss, misreadRules } from "./explain-miss.ts";
import type { Explanation } from "./explain-miss.ts";
import { loadNativeCalls } from "./native-calls.ts";
import type { Endpoint, NativeCalls } from "./native-calls.ts";
import { openPeer } from "./peer-namespace.ts";
import type { Peer } from "./peer-namespace.ts";
import { listenAsSidecar, probe } from "./probe-connection.ts";
import type { Probe } from "./probe-connection.ts";
import { capturesOutbound, inboundProbePort, outboundTarget } from "./probe-targets.ts";
import { applicationOwner, asOwner, isOwnIdentity } from "./socket-owner.ts";
import type { Family } from "../rules/table-rules.ts";

export interface VerifyReport {
  readonly proved: readonly string[];
  /** What could not be tested here, and why. */
  readonly skipped: readonly string[];
  readonly failure: Explanation | undefined;
}

interface Verification {
  readonly options: CaptureOptions;
  readonly path: string | undefined;
  readonly native: NativeCalls;
  readonly peer: Peer | undefined;
  readonly proved: string[];
  readonly skipped: string[];
}

/** Tests every family that is captured; stops at the first failure. */
export async function verifyCapture(options: CaptureOptions, families: readonly Family[], path: string | undefined): Promise<VerifyReport> {
  const proved: string[] = [];
  const skipped: string[] = [];
  if (networkInterfaces().lo === undefined) {
    const failure = { message: "the loopback interface lo is down, and redirected connections arrive over it", hint: "ip link set lo up" };
    return { proved, skipped, failure };
  }
  const native = await loadNativeCalls();
  const peer = options.inboundPorts.length === 0 ? undefined : openPeer(families, native, path);
  try {
    const verification: Verification = { options, path, native, peer, proved, skipped };
    for (const family of families) {
      const failure = (await verifyOutbound(verification, family)) ?? (await verifyInbound(verification, family));
      if (failure !== undefined) return { proved, skipped, failure };
    }
    return { proved, skipped, failure: undefined };
  } finally {
    peer?.close();
  }
}

function title(family: Family, direction: string): string {
  return `${family === "ipv4" ? "IPv4" : "IPv6"} ${direction}`;
}

async function verifyOutbound(verification: Verification, family: Family): Promise<Explanation | undefined> {
  const { options, native, skipped } = verification;
  const what = title(family, "outbound");
  if (!capturesOutbound(options, family)) {
    skipped.push(`${what}: these options capture nothing`);
    return undefined;
  }
  const target = await outboundTarget(options, family);
  if (target === undefined) {
    return {
      message: `${what}: no route to any captured address, so no connection can get as far as the rules`,
      hint: "give the namespace an address and a default route first: ip addr; ip route",
    };
  }
  const owner = applicationOwner(options);
  if (!isOwnIdentity(owner) && !(await canBe(owner, native))) {
    skipped.push(`${what}: this process belongs to the sidecar's user or group, and may not become another`);
    return undefined;
  }
  return run(verification, family, what, options.outboundPort, {
    target,
    from: isOwnIdentity(owner) ? undefined : (open) => asOwner(owner, native, open),
  });
}

async function canBe(owner: { readonly uid: number; readonly gid: number }, native: NativeCalls): Promise<boolean> {
  try {
    await asOwner(owner, native, async () => undefined);
    return true;
  } catch {
    return false;
  }
}

async function verifyInbound(verification: Verification, family: Family): Promise<Explanation | undefined> {
  const { options, native, peer, path, skipped } = verification;
  const what = title(family, "inbound");
  if (options.inboundPorts.length === 0) {
    skipped.push(`${what}: these options capture nothing`);
    return undefined;
  }
  const port = inboundProbePort(options);
  if (peer !== undefined)
    return run(verification, family, what, options.inboundPort, { target: { address: peer.address[family], port }, from: peer.from });

  // Second best: the sidecar's own way in. It passes MESHCTL_IN_REDIRECT, but by OUTPUT instead of PREROUTING.
  skipped.push(
    `${what} from outside the pod: that takes the capability SYS_ADMIN; the rules were read, and the sidecar's own way in is tested`,
  );
  const misread = await misreadRules(options, family, path);
  if (misread !== undefined) return { message: `${what}: ${misread.message}`, hint: misread.hint };
  const sidecar = { uid: options.proxyUids[0] ?? 0, gid: options.proxyGids[0] ?? 0 };
  const usable = family === "ipv6" || options.loopbackV4 === "127.0.0.1/32";
  if (!usable || !(await canBe(sidecar, native))) {
    skipped.push(
      `${what} over lo: ${usable ? "this process may not become the sidecar's user" : "--outbound-ipv4-loopback-cidr spares it"}`,
    );
    return undefined;
  }
  const target = family === "ipv4" ? { address: "127.0.0.6", port } : { address: "::6", port };
  return run(verification, family, `${what} over lo`, options.inboundPort, {
    target,
    localAddress: family === "ipv4" ? "127.0.0.1" : "::1",
    from: (open) => asOwner(sidecar, native, open),
  });
}

async function run(
  verification: Verification,
  family: Family,
  what: string,
  sidecarPort: number,
  request: Pick<Probe, "target" | "from" | "localAddress">,
): Promise<Explanation | undefined> {
  const { options, native, path, proved } = verification;
  let server: Server;
  try {
    server = await listenAsSidecar(sidecarPort, family);
  } catch (error) {
    return explainListenError(error as NodeJS.ErrnoException, sidecarPort);
  }
  try {
    const result = await probe({ ...request, server, timeoutMs: options.probeTimeoutMs }, native);
    const { target } = request;
    if (!result.arrived) return await explainMiss({ options, family, what, target, sidecarPort, code: result.code, path });
    if (result.original?.address === target.address && result.original.port === target.port) {
      proved.push(`${what}: ${show(target)} arrived at port ${sidecarPort}`);
      return undefined;
    }
    const told = result.original === undefined ? "no original destination" : `${show(result.original)} as its original destination`;
    return {
      message: `${what}: a connection to ${show(target)} arrived at port ${sidecarPort} with ${told}`,
      hint: "the kernel needs nf_conntrack and nf_nat",
    };
  } finally {
    server.close();
  }
}

export function show(endpoint: Endpoint): string {
  return formatAddress(endpoint.address, endpoint.port);
}

function explainListenError(error: NodeJS.ErrnoException, port: number): Explanation {
  if (error.code === "EADDRINUSE") {
    return {
      message: `port ${port} is already in use, so a redirected connection can't be told from another`,
      hint: "--verify stands in for the sidecar: run it before the sidecar starts, or see who listens: ss -ltnp",
    };
  }
  return { message: `can't listen on port ${port}: ${error.message}`, hint: "--verify listens on the sidecar's ports" };
}
