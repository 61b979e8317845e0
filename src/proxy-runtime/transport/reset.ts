// Closes a connection so that its peer sees a reset, whether there is TLS on it or not.
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";

interface TcpHandle {
  close: (onClosed?: () => void) => unknown;
  readonly reset?: (onClosed?: () => void) => unknown;
}

interface TlsParts {
  /** The socket that a server wrapped. */
  readonly _parent?: Socket | null;
  /** On top of the socket's own handle, where tls.connect has opened it. */
  readonly _handle?: { readonly _parent?: TcpHandle | null } | null;
}

/** The socket is destroyed; what it had not sent is lost. */
export function resetSocket(socket: Socket | TLSSocket): void {
  if (!("encrypted" in socket)) return void socket.resetAndDestroy();
  // Node refuses resetAndDestroy on TLS sockets (26.10), but TCP's RST is needed all the same: a FIN would tell the peer
  // that all is well.
  const { _parent: wrapped, _handle: handle } = socket as unknown as TlsParts;
  if (wrapped !== null && typeof wrapped?.resetAndDestroy === "function") wrapped.resetAndDestroy();
  else if (typeof handle?._parent?.reset === "function") handle._parent.close = handle._parent.reset;
  socket.destroy();
}
