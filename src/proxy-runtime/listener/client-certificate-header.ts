// x-forwarded-client-cert: who the client proved to be, for those behind us (Envoy's element syntax).
import type { HttpConnectionManagerConfig } from "../config/listener-config.ts";
import { HeaderField } from "../http/header-field.ts";
import { HeaderId } from "../http/header-id.ts";
import type { RequestHead } from "../http/stream.ts";
import type { ConnectionInfo, PeerIdentity } from "../telemetry/stream-info.ts";

type Config = Pick<HttpConnectionManagerConfig, "forwardClientCert" | "setClientCertDetails">;

/** By the configured mode (Envoy's ForwardClientCertDetails). */
export function editClientCertificate(head: RequestHead, config: Config, connection: ConnectionInfo): void {
  const { headers } = head;
  const id = HeaderId["x-forwarded-client-cert"];
  const mode = config.forwardClientCert;
  if (mode === "always_forward_only") return;
  const mutual = connection.peer !== undefined && connection.peer.uri + connection.peer.subject !== "";
  if (mode === "sanitize" || !mutual) {
    if (headers.has(id)) headers.remove(id);
    return;
  }
  if (mode === "forward_only") return;
  const element = elementOf(config, connection);
  if (!headers.has(id)) headers.appendField(element);
  else headers.set(id, mode === "append_forward" ? `${headers.joined(id)!},${element.value}` : element.value);
}

interface MadeElement {
  readonly config: Config;
  readonly localUri: string;
  readonly field: HeaderField;
}

// Connections with the same client certificate share its identity, and mostly the rest.
const ELEMENTS = new WeakMap<PeerIdentity, MadeElement>();

function elementOf(config: Config, connection: ConnectionInfo): HeaderField {
  const { peer, localUri } = connection;
  const made = ELEMENTS.get(peer!);
  if (made !== undefined && made.config === config && made.localUri === localUri) return made.field;
  const field = HeaderField.known(HeaderId["x-forwarded-client-cert"], clientCertificateElement(config, connection));
  ELEMENTS.set(peer!, { config, localUri, field });
  return field;
}

function clientCertificateElement(config: Config, connection: ConnectionInfo): string {
  const peer = connection.peer!;
  const parts: string[] = [];
  if (connection.localUri !== "") parts.push(`By=${connection.localUri}`);
  if (peer.hash !== "") parts.push(`Hash=${peer.hash}`);
  if (config.setClientCertDetails.subject) parts.push(`Subject="${distinguishedName(peer.subject)}"`);
  if (config.setClientCertDetails.uri) parts.push(`URI=${peer.uri}`);
  if (config.setClientCertDetails.dns) for (const name of peer.dns) parts.push(`DNS=${name}`);
  return parts.join(";");
}

/** Node's subject, one attribute a line → RFC 2253 (last first, commas) in the bytes of a header value. */
function distinguishedName(subject: string): string {
  const text = subject
    .split("\n")
    .reverse()
    .join(",")
    .replace(/[\\"]/g, "\\$&")
    .replace(/[\x00-\x1f\x7f]/g, "?");
  return Buffer.from(text, "utf8").latin1Slice();
}
