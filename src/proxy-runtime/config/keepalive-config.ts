// TCP keepalive of a connection: how a peer that vanished without a word is found out. What is undefined is as the
// operating system has it.

export interface KeepaliveConfig {
  /** Probes without an answer after which the peer is given up. */
  readonly probes: number | undefined;
  /** Silence before the first probe. */
  readonly timeSeconds: number | undefined;
  /** Between probes. */
  readonly intervalSeconds: number | undefined;
}
