// Address ranges of both families.
import { isIPv4, isIPv6 } from "node:net";

export interface Cidr {
  /** 4 or 16 bytes, host bits as given. */
  readonly bytes: Uint8Array;
  readonly prefixLength: number;
}

/** Bytes of an IP literal (4 or 16); undefined for anything else. IPv4-mapped IPv6 gives 4. */
export function addressBytes(ip: string): Uint8Array | undefined {
  if (isIPv4(ip)) return Uint8Array.from(ip.split("."), Number);
  if (!isIPv6(ip)) return undefined;
  const zone = ip.indexOf("%");
  let text = zone < 0 ? ip : ip.slice(0, zone);
  const tail = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text);
  if (tail !== null) {
    const [, head, a, b, c, d] = tail as unknown as [string, string, string, string, string, string];
    text = `${head}${(Number(a) * 256 + Number(b)).toString(16)}:${(Number(c) * 256 + Number(d)).toString(16)}`;
  }
  const [left = "", right] = text.split("::");
  const head = left === "" ? [] : left.split(":");
  const rest = right === undefined || right === "" ? [] : right.split(":");
  const groups = right === undefined ? head : [...head, ...Array<string>(8 - head.length - rest.length).fill("0"), ...rest];
  const bytes = new Uint8Array(16);
  groups.forEach((group, index) => {
    const value = parseInt(group, 16);
    bytes[2 * index] = value >> 8;
    bytes[2 * index + 1] = value & 255;
  });
  const mapped = bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 255 && bytes[11] === 255;
  return mapped ? bytes.slice(12) : bytes;
}

/** `10.0.0.0/8`, `fd00::/8` or a bare address; undefined for anything else. */
export function parseCidr(text: string): Cidr | undefined {
  const [ip = "", length, ...more] = text.split("/");
  const bytes = addressBytes(ip);
  if (bytes === undefined || more.length > 0) return undefined;
  const bits = bytes.length * 8;
  if (length === undefined) return { bytes, prefixLength: bits };
  if (!/^\d{1,3}$/.test(length) || Number(length) > bits) return undefined;
  return { bytes, prefixLength: Number(length) };
}

/** Whether an IP literal lies in the range; never across families. */
export function cidrContains(cidr: Cidr, ip: string): boolean {
  const bytes = addressBytes(ip);
  if (bytes === undefined || bytes.length !== cidr.bytes.length) return false;
  const whole = cidr.prefixLength >> 3;
  for (let index = 0; index < whole; index += 1) if (bytes[index] !== cidr.bytes[index]) return false;
  const rest = cidr.prefixLength & 7;
  if (rest === 0) return true;
  const mask = (0xff << (8 - rest)) & 0xff;
  return (bytes[whole]! & mask) === (cidr.bytes[whole]! & mask);
}
