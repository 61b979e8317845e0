// TLS termination for one filter chain. Connections come sniffed from a listener; a tls.Server that never listens makes
// the TLS socket, because only its own 'secure' listener enforces rejectUnauthorized: `new TLSSocket(…)` accepts any
// client certificate (seen in Node 26.10).
import type { Socket } from "node:net";
import { createServer, type Server, type TLSSocket } from "node:tls";
import type { DownstreamTlsConfig } from "../config/tls-config.ts";
import type { PeerIdentity } from "../telemetry/stream-info.ts";
import { PeerCertificates } from "./peer-certificates.ts";
import { compileSanMatches, type SubjectAltNames } from "./san-match.ts";
import { isMissingSecret, type Secrets } from "./secrets.ts";

export type TlsFailure = "missing_secret" | "handshake_failed" | "no_certificate" | "verify_failed" | "san_mismatch" | "timeout" | "closed";

/** A client that passed. */
export interface TlsPassed {
  readonly socket: TLSSocket;
  /** What its certificate says; undefined where it showed none, or none is looked at. */
  readonly peer: PeerIdentity | undefined;
  /** First URI in the certificate that it was shown; empty where that has none. */
  readonly localUri: string;
}

export type TlsDone = (outcome: TlsPassed | { failure: TlsFailure; detail: string }) => void;

/** A handshake under way, with what was configured when it began. */
interface Handshake {
  readonly done: TlsDone;
  readonly localUri: string;
}

export class TlsServer {
  readonly #config: DownstreamTlsConfig;
  readonly #secrets: Secrets;
  readonly #handshakeTimeoutMs: number;
  readonly #server: Server;
  #serverWithoutAlpn: Server | undefined = undefined;
  /** Weak, since a Map of what comes and goes keeps its garbage alive (docs/performance.md). */
  readonly #pending = new WeakMap<Socket, Handshake>();
  readonly #peers = new PeerCertificates();
  #localUri = "";
  #namesAccepted: (names: SubjectAltNames) => boolean = () => true;
  #generation = -1;

  /** @param handshakeTimeoutMs 0: none of our own. */
  constructor(config: DownstreamTlsConfig, secrets: Secrets, handshakeTimeoutMs: number) {
    this.#config = config;
    this.#secrets = secrets;
    this.#handshakeTimeoutMs = handshakeTimeoutMs > 0 ? handshakeTimeoutMs : 120000;
    this.#server = this.#makeServer(config.alpn);
  }

  #makeServer(alpn: readonly string[]): Server {
    const config = this.#config;
    const verify = config.validationSecret !== undefined;
    const server = createServer({
      requestCert: verify || config.requireClientCertificate,
      rejectUnauthorized: config.requireClientCertificate && verify,
      handshakeTimeout: this.#handshakeTimeoutMs,
      minVersion: config.minVersion,
      maxVersion: config.maxVersion,
      // The first of ours that the client has, too.
      ...(alpn.length > 0 ? { ALPNProtocols: [...alpn] } : {}),
    });
    server.on("secureConnection", this.#onSecure);
    server.on("tlsClientError", this.#onError);
    return server;
  }

  /**
   * Shakes hands on an accepted socket whose first bytes have been put back.
   * @param offered the client's ALPN, as far as the listener has looked.
   */
  accept(socket: Socket, offered: readonly string[], done: TlsDone): void {
    const server = this.#serverFor(offered);
    if (!this.#refresh(done)) {
      socket.destroy();
      return;
    }
    this.#pending.set(socket, { done, localUri: this.#localUri });
    // Later than 'tlsClientError' of the same close, which may know why.
    socket.once("close", () =>
      setImmediate(() => this.#finish(socket, { failure: "closed", detail: "connection closed during the TLS handshake" })),
    );
    server.emit("connection", socket);
  }

  // Without a common protocol Envoy goes on without one. Node's server can't: no choice is a fatal alert (Node 26), so
  // such clients get a server that has no ALPN at all.
  #serverFor(offered: readonly string[]): Server {
    const { alpn } = this.#config;
    if (alpn.length === 0 || offered.length === 0 || offered.some((each) => alpn.includes(each))) return this.#server;
    if (this.#serverWithoutAlpn === undefined) {
      this.#serverWithoutAlpn = this.#makeServer([]);
      this.#generation = -1;
    }
    return this.#serverWithoutAlpn;
  }

  #refresh(done: TlsDone): boolean {
    if (this.#generation === this.#secrets.generation) return true;
    try {
      const options = this.#secrets.optionsFor(this.#config);
      if (isMissingSecret(options)) {
        done({ failure: "missing_secret", detail: `secret ${options.missing} has not arrived` });
        return false;
      }
      this.#server.setSecureContext(options);
      this.#serverWithoutAlpn?.setSecureContext(options);
      this.#localUri = this.#secrets.ownUriOf(this.#config);
    } catch (error) {
      done({ failure: "missing_secret", detail: `secret is not usable: ${(error as Error).message}` });
      return false;
    }
    this.#namesAccepted = compileSanMatches([...this.#config.sanMatches, ...this.#secrets.sanMatchesOf(this.#config)]);
    this.#generation = this.#secrets.generation;
    return true;
  }

  readonly #onSecure = (tlsSocket: TLSSocket): void => {
    const raw = (tlsSocket as unknown as { _parent: Socket })._parent;
    const certificate = this.#config.validationSecret === undefined ? undefined : tlsSocket.getPeerX509Certificate();
    let failure: { failure: TlsFailure; detail: string } | undefined;
    let peer: PeerIdentity | undefined;
    if (certificate === undefined) {
      if (this.#config.requireClientCertificate) failure = { failure: "no_certificate", detail: "client showed no certificate" };
    } else if (!tlsSocket.authorized) failure = { failure: "verify_failed", detail: String(tlsSocket.authorizationError) };
    else {
      const { names, identity } = this.#peers.of(certificate);
      peer = identity;
      if (!this.#namesAccepted(names))
        failure = { failure: "san_mismatch", detail: `client is ${names.uris[0] ?? names.dns[0] ?? "nameless"}` };
    }
    if (failure !== undefined) {
      tlsSocket.destroy();
      this.#finish(raw, failure);
      return;
    }
    this.#finish(raw, { socket: tlsSocket, peer, localUri: this.#pending.get(raw)?.localUri ?? "" });
  };

  readonly #onError = (error: NodeJS.ErrnoException, tlsSocket: TLSSocket): void => {
    const raw = (tlsSocket as unknown as { _parent: Socket })._parent;
    const code = error.code ?? "";
    const failure: TlsFailure =
      code === "ERR_TLS_HANDSHAKE_TIMEOUT"
        ? "timeout"
        : code === "ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE"
          ? "no_certificate"
          : code.startsWith("ERR_SSL") || code === "ECONNRESET"
            ? "handshake_failed"
            : "verify_failed";
    tlsSocket.destroy();
    // Node destroys the socket of a client that it does not trust, sends no alert, and reports a reset (Node 26.10).
    const untrusted = tlsSocket.authorizationError as unknown as string | null | undefined;
    if (untrusted) return this.#finish(raw, { failure: "verify_failed", detail: untrusted });
    this.#finish(raw, { failure, detail: code === "" ? error.message : code });
  };

  #finish(raw: Socket, outcome: Parameters<TlsDone>[0]): void {
    const handshake = this.#pending.get(raw);
    if (handshake === undefined) return;
    this.#pending.delete(raw);
    handshake.done(outcome);
  }
}
