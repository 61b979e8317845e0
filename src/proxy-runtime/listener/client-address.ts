// Who a request comes from: the peer, or what x-forwarded-for says where that is believed; and whether that makes the
// request internal, so that it may steer the proxy by headers. Envoy's rules, odd as they are; see its page on XFF.
import { isIP } from "node:net";
import { networkInterfaces } from "node:os";
import { addressBytes, cidrContains, type Cidr } from "../../common/cidr.ts";
import type { CidrConfig, HttpConnectionManagerConfig } from "../config/listener-config.ts";
import { HeaderId } from "../http/header-id.ts";
import type { HeaderList } from "../http/header-list.ts";

const FORWARDED_FOR = HeaderId["x-forwarded-for"];

const MAX_KNOWN = 1024;

export interface ClientAddress {
  /** IP literal; empty where only the connection tells. */
  readonly ip: string;
  /** It was read from x-forwarded-for. */
  readonly isForwarded: boolean;
  readonly isInternal: boolean;
}

type Config = Pick<HttpConnectionManagerConfig, "useRemoteAddress" | "skipXffAppend" | "xffTrustedHops" | "internalRanges">;

// Nobody has written an address, and ours is not asked for: the peer is the client, and counts as external whatever it is.
const UNKNOWN: ClientAddress = { ip: "", isForwarded: false, isInternal: false };

export class ClientAddresses {
  readonly #config: Config;
  readonly #internal: readonly Cidr[];
  /** Answers given: reading an address as bytes costs as much as a fifth of a request. */
  readonly #known = new Map<string, boolean>();

  constructor(config: Config) {
    this.#config = config;
    this.#internal = config.internalRanges.map(toCidr);
  }

  /** The client of a request that a peer has sent; x-forwarded-for gets the peer where it is to. */
  take(headers: HeaderList, peerIp: string): ClientAddress {
    const { useRemoteAddress, skipXffAppend, xffTrustedHops } = this.#config;
    const before = headers.joined(FORWARDED_FOR);
    if (!useRemoteAddress) {
      const ip = forwardedAt(before, xffTrustedHops);
      if (ip === undefined) return UNKNOWN;
      const isOnly = xffTrustedHops === 0 && !before!.includes(",");
      return { ip, isForwarded: true, isInternal: isOnly && this.#isInternal(ip) };
    }
    const trusted = xffTrustedHops > 0 ? forwardedAt(before, xffTrustedHops - 1) : undefined;
    if (!skipXffAppend) {
      const seen = isLoopback(peerIp) ? ownAddress() : peerIp;
      headers.set(FORWARDED_FOR, before === undefined ? seen : `${before},${seen}`);
    }
    const ip = trusted ?? peerIp;
    return { ip, isForwarded: trusted !== undefined, isInternal: before === undefined && this.#isInternal(ip) };
  }

  #isInternal(ip: string): boolean {
    let isInternal = this.#known.get(ip);
    if (isInternal === undefined) {
      isInternal = this.#internal.some((range) => cidrContains(range, ip));
      if (this.#known.size === MAX_KNOWN) this.#known.clear();
      this.#known.set(ip, isInternal);
    }
    return isInternal;
  }
}

/** The address so many from the end; undefined where there is none, or no address. */
function forwardedAt(value: string | undefined, skip: number): string | undefined {
  if (value === undefined) return undefined;
  const ip =
    value
      .split(",")
      .at(-1 - skip)
      ?.trim() ?? "";
  return isIP(ip) === 0 ? undefined : ip;
}

function toCidr({ address, prefixLength }: CidrConfig): Cidr {
  return { bytes: addressBytes(address)!, prefixLength };
}

function isLoopback(ip: string): boolean {
  return ip === "::1" || ip.startsWith("127.");
}

let own: string | undefined;

/** What a peer on this machine is called towards others: the machine's first address that others can see. */
function ownAddress(): string {
  own ??=
    Object.values(networkInterfaces())
      .flatMap((each) => each ?? [])
      .find((each) => !each.internal && each.family === "IPv4")?.address ?? "127.0.0.1";
  return own;
}
