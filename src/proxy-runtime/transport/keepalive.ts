// Turns TCP keepalive on for a connected socket.
import { readFileSync } from "node:fs";
import type { Socket } from "node:net";
import type { KeepaliveConfig } from "../config/keepalive-config.ts";

/** Linux's own values, for where its settings can't be read. */
const DEFAULTS = { time: 7200, intvl: 75, probes: 9 } as const;

let systemWide: Readonly<Record<keyof typeof DEFAULTS, number>> | undefined;

/** @param socket connected: before that there is nothing to set it on. */
export function keepAlive(socket: Socket, { probes, timeSeconds, intervalSeconds }: KeepaliveConfig): void {
  // Node's own defaults (26.10: a probe each second, ten of them) are not the system's.
  systemWide ??= { time: ofSystem("time"), intvl: ofSystem("intvl"), probes: ofSystem("probes") };
  socket.setKeepAlive({
    enable: true,
    initialDelay: (timeSeconds ?? systemWide.time) * 1000,
    interval: (intervalSeconds ?? systemWide.intvl) * 1000,
    count: probes ?? systemWide.probes,
  });
}

function ofSystem(name: keyof typeof DEFAULTS): number {
  try {
    return Number(readFileSync(`/proc/sys/net/ipv4/tcp_keepalive_${name}`, "latin1")) || DEFAULTS[name];
  } catch {
    return DEFAULTS[name];
  }
}
