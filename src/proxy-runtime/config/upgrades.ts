// Which upgrades may pass: by lower-case token, as RequestHead.upgrade has it.

export type Upgrades = ReadonlyMap<string, boolean>;

/** The token of CONNECT. */
export const CONNECT_UPGRADE = "connect";
/** A type that stands for every token but CONNECT. To Envoy it is a token like any other, which nobody asks for. */
export const ANY_UPGRADE = "*";

// RFC 9110 §7.8: a name and perhaps a version, both tokens.
const PROTOCOL = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:\/[!#$%&'*+.^_`|~0-9A-Za-z-]+)?$/;
// HTTP itself under another cover: requests inside such a connection would bypass routes and policies. And the method that
// is no protocol. An offer may always be ignored.
const IGNORED = /^(?:h2c(?:-.*)?|http|tls|connect)(?:\/|$)/i;

/** What an Upgrade field may name. */
export function isProtocol(text: string): boolean {
  return PROTOCOL.test(text);
}

/** An offer of it is as good as none. */
export function isIgnoredOffer(protocol: string): boolean {
  return IGNORED.test(protocol);
}

/** Envoy's rule: a route's word counts before its connection manager's, and what neither names is not allowed. */
export function allowsUpgrade(manager: Upgrades, route: Upgrades | undefined, upgrade: string): boolean {
  if (upgrade === CONNECT_UPGRADE) return (route?.get(upgrade) ?? manager.get(upgrade)) === true;
  // Several are offered at once: the server may take any.
  return upgrade.split(", ").every((token) => (wordOn(route, token) ?? wordOn(manager, token)) === true);
}

function wordOn(upgrades: Upgrades | undefined, token: string): boolean | undefined {
  return upgrades?.get(token) ?? upgrades?.get(ANY_UPGRADE);
}
