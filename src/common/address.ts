// Addresses as flags and configuration write them: `127.0.0.1:15010`, `[::]:15012`, `host.name:80`.

export interface HostPort {
  /** Without brackets. */
  readonly host: string;
  readonly port: number;
}

const HOST_PORT = /^(?:\[(?<ipv6>[0-9a-fA-F:.%]+)\]|(?<host>[^:[\]]*)):(?<port>\d{1,5})$/;

/** undefined when the text is no address with a port. An empty host means every address. */
export function parseHostPort(text: string): HostPort | undefined {
  const groups = HOST_PORT.exec(text)?.groups;
  const port = Number(groups?.["port"]);
  if (groups === undefined || port > 65535) return undefined;
  return { host: groups["ipv6"] ?? (groups["host"] || "::"), port };
}

/** `10.0.0.1:80` or `[::1]:80`. */
export function formatAddress(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

export function formatHostPort({ host, port }: HostPort): string {
  return formatAddress(host, port);
}
