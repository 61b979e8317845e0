// Reads the values of init's options: lists of ports, CIDRs, users and interfaces. Each reader either returns values
// that iptables accepts in its own spelling, or throws a UserError that names the option and the item.
import { isIP, isIPv4 } from "node:net";
import { parseDurationMs } from "../common/duration.ts";
import { UserError } from "../common/user-error.ts";

/** Comma separated text as its items, spaces around them dropped; empty text is the empty list. */
export function splitList(text: string): readonly string[] {
  return text.trim() === "" ? [] : text.split(",").map((item) => item.trim());
}

function refuse(option: string, item: string, why: string, hint: string): never {
  throw new UserError(`${option}: ${item === "" ? "an empty item" : `'${item}'`} ${why}`, hint);
}

export function readPort(option: string, text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65535) refuse(option, text, "is not a port", "a port is a number from 1 to 65535");
  return port;
}

export function readPorts(option: string, text: string): readonly number[] {
  return [...new Set(splitList(text).map((item) => readPort(option, item)))];
}

/** `*` means every port. */
export function readPortsOrAll(option: string, text: string): readonly number[] | "*" {
  return text.trim() === "*" ? "*" : readPorts(option, text);
}

/** One address range in the spelling of iptables-save: host bits cleared, prefix length always there. */
export interface Cidr {
  readonly family: "ipv4" | "ipv6";
  readonly text: string;
}

function toBytes(address: string): number[] {
  if (isIPv4(address)) return address.split(".").map(Number);
  // The URL parser spells an IPv6 address in hexadecimal groups only, also one that ends in dotted decimal.
  const [head = "", tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const groups = tail === undefined ? left : [...left, ...Array<string>(8 - left.length - right.length).fill("0"), ...right];
  return groups.flatMap((group) => [parseInt(group, 16) >> 8, parseInt(group, 16) & 0xff]);
}

function fromBytes(bytes: readonly number[]): string {
  if (bytes.length === 4) return bytes.join(".");
  const groups: string[] = [];
  for (let at = 0; at < 16; at += 2) groups.push((((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)).toString(16));
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}

/** The network part of address/bits, canonical; undefined when it is neither an IPv4 nor an IPv6 range. */
export function toCidr(text: string): Cidr | undefined {
  const [address = "", prefix, ...rest] = text.split("/");
  const version = address.includes("%") ? 0 : isIP(address);
  if (version === 0 || prefix === undefined || rest.length > 0 || !/^\d{1,3}$/.test(prefix)) return undefined;
  const bits = Number(prefix);
  if (bits > (version === 4 ? 32 : 128)) return undefined;
  const masked = toBytes(address).map((byte, at) => {
    const kept = Math.min(8, Math.max(0, bits - at * 8));
    return byte & ((0xff << (8 - kept)) & 0xff);
  });
  return { family: version === 4 ? "ipv4" : "ipv6", text: `${fromBytes(masked)}/${bits}` };
}

export function readCidrs(option: string, text: string): readonly Cidr[] {
  return splitList(text).map((item) => {
    const cidr = toCidr(item);
    if (cidr !== undefined) return cidr;
    const whole = isIP(item) === 4 ? 32 : 128;
    return refuse(
      option,
      item,
      "is not an address range",
      isIP(item) === 0 ? "write ranges as 10.0.0.0/8 or fd00::/8" : `write ${item}/${whole}`,
    );
  });
}

/** `*` means every address. */
export function readCidrsOrAll(option: string, text: string): readonly Cidr[] | "*" {
  return text.trim() === "*" ? "*" : readCidrs(option, text);
}

export function isLoopbackCidr(cidr: Cidr): boolean {
  return cidr.family === "ipv4" ? cidr.text.startsWith("127.") : cidr.text === "::1/128";
}

// IFNAMSIZ is 16 with the closing zero; iptables takes a final + as "every interface that starts so".
export function readInterfaces(option: string, text: string): readonly string[] {
  return splitList(text).map((item) => {
    if (!/^[^\s/!+]{1,15}\+?$/.test(item) || item.length > 15) {
      refuse(option, item, "is not the name of a network interface", "a name has at most 15 characters, without spaces or slashes");
    }
    return item;
  });
}

/** The ids of a comma separated list of ids and names; names are looked up in `database` (the text of passwd or group). */
export function readOwners(option: string, kind: "user" | "group", text: string, database: string): readonly number[] {
  return splitList(text).map((item) => {
    const found = /^\d{1,10}$/.test(item) ? item : lookUp(item, database);
    if (found === undefined) {
      return refuse(
        option,
        item,
        `is not a known ${kind}`,
        `give a numeric id, or a ${kind} of /etc/${kind === "user" ? "passwd" : "group"}`,
      );
    }
    const id = Number(found);
    // 2^32 - 1 is the kernel's "no such id".
    if (id > 0xfffffffe) refuse(option, item, `is not a ${kind} id`, "an id is a number from 0 to 4294967294");
    return id;
  });
}

function lookUp(name: string, database: string): string | undefined {
  if (name === "") return undefined;
  for (const line of database.split("\n")) {
    const fields = line.split(":");
    if (fields[0] === name) return fields[2];
  }
  return undefined;
}

/** A Go duration (`5s`, `1m30s`, `500ms`) in milliseconds, above zero. */
export function readDurationMs(option: string, text: string): number {
  const durationMs = parseDurationMs(text) ?? 0;
  if (durationMs <= 0) refuse(option, text, "is not a duration", "write 5s, 500ms or 1m30s");
  return durationMs;
}
