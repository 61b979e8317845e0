// haproxy configurations: bare, or rich, which has the rules and header edits that meshctl has; as one plaintext hop or as
// one end of an mTLS chain.
import type { Certificates } from "../certificates.ts";
import type { Rule } from "../rules.ts";
import { OTHER_HOSTS, REQUEST, REQUEST_HEADERS, RESPONSE_HEADERS, RULES } from "../rules.ts";

export interface HaproxyHop {
  readonly listenPort: number;
  readonly upstreamPorts: readonly number[];
  readonly isRich: boolean;
  /** Which end of an mTLS chain it is; neither for a plaintext hop. */
  readonly tls?: { readonly end: "client" | "server"; readonly certificates: Certificates };
  /** HTTP/2 with prior knowledge on both sides. */
  readonly isHttp2?: boolean;
}

export function haproxyCommand(configFile: string): string[] {
  return ["haproxy", "-db", "-f", configFile];
}

export function haproxyConfig(hop: HaproxyHop): string {
  const bind = `  bind 127.0.0.1:${hop.listenPort}${protocol(hop)}${bindTls(hop)}`;
  const ports = hop.isRich ? hop.upstreamPorts : hop.upstreamPorts.slice(0, 1);
  const servers = ports.map((port, index) => `  server s${index} 127.0.0.1:${port}${protocol(hop)}${serverTls(hop)}`);
  return `global
  nbthread 1
  maxconn 4000
defaults
  mode http
  http-reuse always
  timeout connect 5s
  timeout client 1h
  timeout server 15s
  timeout http-keep-alive 1h
${hop.isRich ? rich(hop, bind, servers) : `listen hop\n${bind}\n${servers.join("\n")}`}
`;
}

function protocol({ isHttp2 }: HaproxyHop): string {
  return isHttp2 === true ? " proto h2" : "";
}

function bindTls({ tls }: HaproxyHop): string {
  if (tls?.end !== "server") return "";
  const { server, rootsFile } = tls.certificates;
  return ` ssl crt ${server.bothFile} ca-file ${rootsFile} verify required ssl-min-ver TLSv1.3`;
}

function serverTls({ tls }: HaproxyHop): string {
  if (tls?.end !== "client") return "";
  const { client, server, rootsFile } = tls.certificates;
  return ` ssl crt ${client.bothFile} ca-file ${rootsFile} verify required verifyhost ${server.dnsName} sni str(${server.dnsName}) ssl-min-ver TLSv1.3`;
}

function rich(hop: HaproxyHop, bind: string, servers: readonly string[]): string {
  // haproxy 2.6 has no fetch for URI names, so the subject stands for the identity that meshctl reads from the SAN.
  const identity =
    hop.tls?.end === "server" ? [`  http-request deny unless { ssl_c_s_dn(cn) -m str ${hop.tls.certificates.client.name} }`] : [];
  const exact = OTHER_HOSTS.filter((host) => !host.startsWith("*"));
  const suffixes = OTHER_HOSTS.filter((host) => host.startsWith("*")).map((host) => host.slice(1));
  const backends = RULES.map(
    (rule) =>
      `backend ${rule.name}\n  balance leastconn\n  http-request set-header ${REQUEST_HEADERS.ruleHeader} ${rule.name}\n${servers.join("\n")}`,
  );
  return `frontend in
${[
  bind,
  "  unique-id-format %[uuid()]",
  // A second proxy keeps the id of the first, as the mesh does.
  "  http-request set-header x-request-id %[unique-id] unless { req.hdr(x-request-id) -m found }",
  "  http-request set-header x-forwarded-proto http",
  ...identity,
  ...REQUEST_HEADERS.set.map(({ name, value }) => `  http-request set-header ${name} ${value}`),
  ...REQUEST_HEADERS.remove.map((name) => `  http-request del-header ${name}`),
  ...RESPONSE_HEADERS.set.map(({ name, value }) => `  http-response set-header ${name} ${value}`),
  ...RESPONSE_HEADERS.remove.map((name) => `  http-response del-header ${name}`),
  // The host is looked at three times whatever the number of rules, as somebody who tunes haproxy would write it.
  `  acl shop req.hdr(host),field(1,:) -m str ${REQUEST.host}`,
  `  acl other-host req.hdr(host),field(1,:) -m str ${exact.join(" ")}`,
  `  acl other-host req.hdr(host),field(1,:) -m end ${suffixes.join(" ")}`,
  "  http-request return status 404 unless shop or other-host",
  "  use_backend other if !shop",
  ...RULES.map((rule) => `  use_backend ${rule.name} if ${conditions(rule)}`),
].join("\n")}
${backends.join("\n")}
backend other
${servers.join("\n")}`;
}

function conditions({ prefix, header }: Rule): string {
  const path = `{ path_beg ${prefix} }`;
  if (header === undefined) return path;
  return header.name === ":method" ? `${path} { method ${header.value} }` : `${path} { req.hdr(${header.name}) -m str ${header.value} }`;
}
