// Whether a client and a server agree about TLS, by what policy demands of the server and what the client's
// configuration makes it do. The rule of istioctl's former `authn tls-check`, with plaintext told apart from mutual TLS.

/** One service port, as the control plane's /debug/authenticationz reports it for one client. */
export interface AuthenticationReport {
  readonly host: string;
  readonly port: number;
  /** STRICT, PERMISSIVE or DISABLE. */
  readonly serverMode: string;
  /** `namespace/name` of the PeerAuthentication that decides; "" or `-` where the default does. */
  readonly policy: string;
  /** ISTIO_MUTUAL, MUTUAL, SIMPLE or DISABLE. */
  readonly clientMode: string;
  readonly destinationRule: string;
  /** SPIFFE ids that the client accepts. */
  readonly serverIdentities: readonly string[];
}

/** OK: mutual TLS. PLAINTEXT: it works, unencrypted. CONFLICT: requests fail. */
export type Agreement = "OK" | "PLAINTEXT" | "CONFLICT";

export function agreementOf(serverMode: string, clientMode: string): Agreement {
  const isMutual = clientMode === "ISTIO_MUTUAL" || clientMode === "MUTUAL";
  if (isMutual && (serverMode === "STRICT" || serverMode === "PERMISSIVE")) return "OK";
  if (clientMode === "DISABLE" && (serverMode === "DISABLE" || serverMode === "PERMISSIVE")) return "PLAINTEXT";
  return "CONFLICT";
}

/** Does `service` (`checkout`, `checkout.shop`, the full name, each with or without `:port`) mean this one? */
export function isService(report: AuthenticationReport, service: string): boolean {
  const match = /^(.*?)(?::(\d+))?$/.exec(service)!;
  if (match[2] !== undefined && Number(match[2]) !== report.port) return false;
  // A subset is written host|subset.
  const host = report.host.split("|", 1)[0]!;
  return host === match[1] || host.startsWith(`${match[1]}.`);
}
