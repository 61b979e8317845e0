// TCP keepalive → KeepaliveConfig: as clusters ask for it (upstream_connection_options) and as listeners do, by the socket
// options of Linux.
import type { TcpKeepalive } from "../../xds/gen/envoy/config/core/v3/address_pb.ts";
import { TcpKeepaliveSchema } from "../../xds/gen/envoy/config/core/v3/address_pb.ts";
import type { SocketOption } from "../../xds/gen/envoy/config/core/v3/socket_option_pb.ts";
import { SocketOptionSchema } from "../../xds/gen/envoy/config/core/v3/socket_option_pb.ts";
import type { Decoding } from "./decoding.ts";
import { fieldRules, join } from "./decoding.ts";
import type { KeepaliveConfig } from "./keepalive-config.ts";

const KEEPALIVE = fieldRules(TcpKeepaliveSchema, ["keepalive_probes", "keepalive_time", "keepalive_interval"]);
const OPTION = fieldRules(SocketOptionSchema, ["level", "name", "int_value"], {
  description: "for people",
  state: "accepted sockets get the options, whenever the listening one would have got them",
});

// The kernel's limits: MAX_TCP_KEEPIDLE, MAX_TCP_KEEPINTVL and MAX_TCP_KEEPCNT of net/tcp.h.
const MAX_SECONDS = 32767;
const MAX_PROBES = 127;

export function decodeKeepalive(decoding: Decoding, keepalive: TcpKeepalive | undefined, path: string): KeepaliveConfig | undefined {
  if (keepalive === undefined) return undefined;
  decoding.check(KEEPALIVE, keepalive, path);
  const { keepaliveProbes: probes, keepaliveTime: time, keepaliveInterval: interval } = keepalive;
  // Envoy: a 0 anywhere turns it off.
  if (probes === 0 || time === 0 || interval === 0) return undefined;
  return {
    probes: atMost(decoding, probes, MAX_PROBES, join(path, "keepalive_probes")),
    timeSeconds: atMost(decoding, time, MAX_SECONDS, join(path, "keepalive_time")),
    intervalSeconds: atMost(decoding, interval, MAX_SECONDS, join(path, "keepalive_interval")),
  };
}

const SOL_SOCKET = 1;
const IPPROTO_TCP = 6;
/** `level name` of asm-generic/socket.h and netinet/tcp.h. */
const OPTIONS: Readonly<Record<string, "keepalive" | "noDelay" | keyof KeepaliveConfig>> = {
  [`${SOL_SOCKET} 9`]: "keepalive",
  [`${IPPROTO_TCP} 1`]: "noDelay",
  [`${IPPROTO_TCP} 4`]: "timeSeconds",
  [`${IPPROTO_TCP} 5`]: "intervalSeconds",
  [`${IPPROTO_TCP} 6`]: "probes",
};
const POSSIBLE = "only SO_KEEPALIVE (1, 9), TCP_NODELAY (6, 1), TCP_KEEPIDLE (6, 4), TCP_KEEPINTVL (6, 5) and TCP_KEEPCNT (6, 6)";

/** Of a listener's socket_options; undefined where they don't turn keepalive on. */
export function decodeSocketOptions(decoding: Decoding, options: readonly SocketOption[], path: string): KeepaliveConfig | undefined {
  const found: Record<string, number> = {};
  options.forEach((option, index) => {
    const inner = `${path}[${index}]`;
    decoding.check(OPTION, option, inner);
    const known = OPTIONS[`${option.level} ${option.name}`];
    if (known === undefined) return decoding.unsupported(inner, POSSIBLE);
    if (option.value.case !== "intValue") return decoding.problem(join(inner, "int_value"), "missing");
    const value = Number(option.value.value);
    if (known === "noDelay" && value === 0) decoding.unsupported(join(inner, "int_value"), "TCP_NODELAY is always on");
    if (known !== "noDelay" && known !== "keepalive") {
      if (value < 1) decoding.problem(join(inner, "int_value"), "must be at least 1");
      atMost(decoding, value, known === "probes" ? MAX_PROBES : MAX_SECONDS, join(inner, "int_value"));
    }
    found[known] = value;
  });
  if ((found["keepalive"] ?? 0) === 0) return undefined;
  return { probes: found["probes"], timeSeconds: found["timeSeconds"], intervalSeconds: found["intervalSeconds"] };
}

function atMost(decoding: Decoding, value: number | undefined, limit: number, path: string): number | undefined {
  if (value !== undefined && value > limit) decoding.problem(path, `must be at most ${limit}, the kernel's limit`);
  return value;
}
