// Whether a client and a server agree about TLS, by what policy demands of the server and what the client's
// configuration makes it do. The rule of istioctl's former `authn tls-check`, with plaintext told apart from mutual TLS.

/** One port of a service or of its subset, as the control plane's /debug/authenticationz reports it for one client. */
export interface AuthenticationReport {
  readonly host: string;
  readonly port: number;
  readonly subset?: string;
  /** STRICT, PERMISSIVE or DISABLE. */
  readonly serverMode: string;
  /** The PeerAuthentication that decides; `-` where the default does. */
  readonly policy: string;
  /** ISTIO_MUTUAL, MUTUAL, SIMPLE, DISABLE, or AUTO: mutual TLS towards endpoints that take it. */
  readonly clientMode: string;
  readonly destinationRule: string;
  /** SPIFFE ids that the client accepts. */
  readonly serverIdentities: readonly string[];
  readonly endpoints: number;
  /** Those that take mutual TLS. */
  readonly meshedEndpoints: number;
}

/** OK: mutual TLS. PLAINTEXT: it works, unencrypted. CONFLICT: requests fail. */
export type Agreement = "OK" | "PLAINTEXT" | "CONFLICT";

/** What the client really does: AUTO is decided by the endpoints. MIXED: mutual TLS to some, plaintext to others. */
export function effectiveClientMode({ clientMode, serverMode, endpoints, meshedEndpoints }: AuthenticationReport): string {
  if (clientMode !== "AUTO") return clientMode;
  if (endpoints === 0) return serverMode === "DISABLE" ? "DISABLE" : "ISTIO_MUTUAL";
  if (meshedEndpoints === endpoints) return "ISTIO_MUTUAL";
  return meshedEndpoints === 0 ? "DISABLE" : "MIXED";
}

/** The worst that may happen to a request: with several endpoints it depends on which one is picked. */
export function agreementOf(report: AuthenticationReport): Agreement {
  const { serverMode, endpoints, meshedEndpoints } = report;
  const client = effectiveClientMode(report);
  if (client === "MIXED") return "PLAINTEXT";
  if (client === "ISTIO_MUTUAL" || client === "MUTUAL") {
    const isTaken = serverMode === "STRICT" || serverMode === "PERMISSIVE";
    return isTaken && meshedEndpoints === endpoints ? "OK" : "CONFLICT";
  }
  const isPlain = client === "DISABLE" && (serverMode === "DISABLE" || serverMode === "PERMISSIVE");
  return isPlain ? "PLAINTEXT" : "CONFLICT";
}

/** Does `service` (`checkout`, `checkout.shop`, the full name, each with or without `:port`) mean this one? */
export function isService(report: AuthenticationReport, service: string): boolean {
  const match = /^(.*?)(?::(\d+))?$/.exec(service)!;
  if (match[2] !== undefined && Number(match[2]) !== report.port) return false;
  return report.host === match[1] || report.host.startsWith(`${match[1]}.`);
}
