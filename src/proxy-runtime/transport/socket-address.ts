// An address as sockets have it. Kept apart from text, since IPv6 needs brackets only where a port follows.

export interface SocketAddress {
  /** IPv4 or IPv6 literal, no brackets; IPv4-mapped IPv6 is written as IPv4. */
  readonly ip: string;
  readonly port: number;
}

/** Dual-stack sockets show IPv4 peers as ::ffff:a.b.c.d; everyone else means a.b.c.d. */
export function unmapIpv4(ip: string): string {
  return ip.startsWith("::ffff:") && ip.includes(".") ? ip.slice(7) : ip;
}
