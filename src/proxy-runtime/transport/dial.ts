// Opens a connection to an upstream address: TCP, then TLS where the endpoint asks for it. The connect timeout covers
// both, as Envoy's does.
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from "node:tls";
import { formatAddress } from "../../common/address.ts";
import type { KeepaliveConfig } from "../config/keepalive-config.ts";
import type { UpstreamTlsConfig } from "../config/tls-config.ts";
import type { Cause } from "../failure/cause.ts";
import { Causes } from "../failure/causes.ts";
import { Connection, type IoContext } from "./connection.ts";
import { keepAlive } from "./keepalive.ts";
import { compileSanMatches, parseSubjectAltNames } from "./san-match.ts";
import { isMissingSecret, type Secrets } from "./secrets.ts";
import { TimerEntry, type Timers } from "./timers.ts";

export interface DialTarget {
  readonly ip: string;
  readonly port: number;
  readonly tls: UpstreamTlsConfig | undefined;
  /** Overrides the configured ALPN list. */
  readonly alpn: readonly string[] | undefined;
  readonly bindSourceAddress: string | undefined;
  readonly timeoutMs: number;
  readonly keepalive: KeepaliveConfig | undefined;
}

export type DialOutcome =
  | {
      readonly connection: Connection;
      readonly alpn: string;
      readonly peerUri: string;
      /** Our own certificate had expired then, ms since 1970: the peer will close as soon as it has seen it. */
      readonly ownExpiryMs: number | undefined;
    }
  | { readonly cause: Cause; readonly detail: string };

// What connect(2) and socket(2) say when nobody else was asked.
const LOCAL_ERRORS: ReadonlySet<string> = new Set(["EMFILE", "ENFILE", "ENOBUFS", "ENOMEM", "EADDRNOTAVAIL", "EADDRINUSE"]);
const SAN_MISMATCH = "ERR_MESH_SAN_MISMATCH";

/**
 * Calls `done` once. The connection is not started: who takes it calls `connection.start(codec, true)` at once.
 * @returns a function that gives the attempt up; `done` is then not called.
 */
export function dial(
  target: DialTarget,
  io: IoContext,
  secrets: Secrets,
  timers: Timers,
  done: (outcome: DialOutcome) => void,
): () => void {
  // The read callback must exist before the connection that it feeds.
  let connection: Connection | undefined = undefined;
  const onread = io.reads.onread((buffer, length) => connection!.onBytes(buffer, length));
  let socket: Socket | TLSSocket;
  if (target.tls === undefined) {
    socket = connectTcp({
      host: target.ip,
      port: target.port,
      noDelay: true,
      allowHalfOpen: true,
      onread,
      ...(target.bindSourceAddress === undefined ? {} : { localAddress: target.bindSourceAddress }),
    });
  } else {
    const opened = openTls(target, target.tls, secrets, onread);
    if ("cause" in opened) {
      process.nextTick(done, opened);
      return () => undefined;
    }
    socket = opened;
  }
  const timer = new TimerEntry(
    { onTimer: () => finish({ cause: Causes.connectTimeout, detail: `no connection to ${address} within ${target.timeoutMs} ms` }) },
    0,
  );
  const address = formatAddress(target.ip, target.port);
  let settled = false;
  const finish = (outcome: DialOutcome): void => {
    if (settled) return;
    settled = true;
    timers.disarm(timer);
    if ("cause" in outcome) socket.destroy();
    try {
      done(outcome);
    } catch (thrown) {
      socket.destroy();
      io.onInternalError(thrown);
    }
  };
  connection = new Connection(socket, io);
  socket.once(target.tls === undefined ? "connect" : "secureConnect", () => {
    if (target.keepalive !== undefined) keepAlive(socket, target.keepalive);
    const tlsSocket = target.tls === undefined ? undefined : (socket as TLSSocket);
    const names =
      tlsSocket === undefined || target.tls!.validationSecret === undefined
        ? undefined
        : parseSubjectAltNames(tlsSocket.getPeerX509Certificate()?.subjectAltName);
    const ownExpiryMs = expiryMs < Date.now() ? expiryMs : undefined;
    finish({
      ownExpiryMs,
      connection,
      alpn: typeof tlsSocket?.alpnProtocol === "string" ? tlsSocket.alpnProtocol : "",
      peerUri: names?.uris[0] ?? "",
    });
  });
  const expiryMs = target.tls === undefined ? Infinity : secrets.expiryMsOf(target.tls);
  // Whom our own certificate does not satisfy ends the handshake with an alert, or without a word.
  const onRefused = (detail: string): void => {
    if (expiryMs >= Date.now()) finish({ cause: Causes.connectFailure, detail });
    else
      finish({ cause: Causes.ownCertificateExpired, detail: `own certificate expired at ${new Date(expiryMs).toISOString()}; ${detail}` });
  };
  socket.once("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "ECONNRESET" && error.syscall !== "connect") onRefused(`${address}: ECONNRESET during the handshake`);
    else if (expiryMs < Date.now() && /^ERR_SSL_.*ALERT/.test(error.code ?? "")) onRefused(`${address}: ${error.code}`);
    else finish(failureOf(error, address));
  });
  socket.once("close", () => onRefused(`${address} closed the connection during the handshake`));
  if (target.timeoutMs > 0) timers.arm(timer, target.timeoutMs);
  return () => {
    settled = true;
    timers.disarm(timer);
    socket.destroy();
  };
}

function openTls(
  target: DialTarget,
  tls: UpstreamTlsConfig,
  secrets: Secrets,
  onread: { buffer: Buffer; callback: (length: number) => boolean },
): TLSSocket | { cause: Cause; detail: string } {
  let secureContext;
  try {
    secureContext = secrets.contextFor(tls);
  } catch (error) {
    return { cause: Causes.noOwnCertificate, detail: `secret is not usable: ${(error as Error).message}` };
  }
  if (isMissingSecret(secureContext)) return { cause: Causes.noOwnCertificate, detail: `secret ${secureContext.missing} has not arrived` };
  const namesAccepted = compileSanMatches([...tls.sanMatches, ...secrets.sanMatchesOf(tls)]);
  const options: ConnectionOptions & { onread: typeof onread; allowHalfOpen: boolean; localAddress?: string } = {
    host: target.ip,
    port: target.port,
    secureContext,
    rejectUnauthorized: tls.validationSecret !== undefined,
    allowHalfOpen: true,
    servername: tls.sni ?? "",
    ALPNProtocols: [...(target.alpn ?? tls.alpn)],
    minVersion: tls.minVersion,
    maxVersion: tls.maxVersion,
    onread,
    ...(target.bindSourceAddress === undefined ? {} : { localAddress: target.bindSourceAddress }),
    checkServerIdentity: (_host, certificate) => {
      const names = parseSubjectAltNames(certificate.subjectaltname);
      if (namesAccepted(names)) return undefined;
      return Object.assign(new Error(`server is ${names.uris[0] ?? names.dns[0] ?? "nameless"}`), { code: SAN_MISMATCH });
    },
  };
  const socket = connectTls(options);
  socket.setNoDelay(true);
  return socket;
}

function failureOf(error: NodeJS.ErrnoException, address: string): { cause: Cause; detail: string } {
  if (error.code === SAN_MISMATCH) return { cause: Causes.tlsPeerIdentity, detail: `${address}: ${error.message}` };
  if (error.syscall === "bind" || LOCAL_ERRORS.has(error.code ?? ""))
    return { cause: Causes.localConnectFailure, detail: `${address}: ${error.code}` };
  if (error.syscall === "connect") {
    const cause =
      error.code === "ETIMEDOUT" || error.code === "EHOSTUNREACH" || error.code === "ENETUNREACH"
        ? Causes.connectTimeout
        : Causes.connectFailure;
    return { cause, detail: `${address}: ${error.code}` };
  }
  return { cause: Causes.tlsFailure, detail: `${address}: ${error.code ?? error.message}` };
}
