// Reads a TLS ClientHello as far as choosing a filter chain needs it: server name and ALPN (RFC 8446 §4.1.2, RFC 6066
// §3, RFC 7301). The bytes are not consumed; the TLS library sees them afterwards.

export interface ClientHello {
  readonly serverName: string;
  readonly alpn: readonly string[];
}

const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const EXTENSION_SERVER_NAME = 0;
const EXTENSION_ALPN = 16;

/** The hello, `incomplete` while bytes are missing, `invalid` where they are no ClientHello. */
export function readClientHello(bytes: Buffer): ClientHello | "incomplete" | "invalid" {
  const message = handshakeMessage(bytes);
  return typeof message === "string" ? message : parseHello(message);
}

/** Joins handshake fragments of the first records until the message is whole. */
function handshakeMessage(bytes: Buffer): Buffer | "incomplete" | "invalid" {
  const parts: Buffer[] = [];
  let have = 0;
  let at = 0;
  for (;;) {
    if (bytes.length > at && bytes[at] !== HANDSHAKE) return "invalid";
    if (bytes.length > at + 1 && bytes[at + 1] !== 3) return "invalid";
    if (bytes.length < at + 5) return "incomplete";
    const length = bytes.readUInt16BE(at + 3);
    if (length === 0 || length > 16384) return "invalid";
    const fragment = bytes.subarray(at + 5, at + 5 + length);
    parts.push(fragment);
    have += fragment.length;
    if (have >= 4) {
      const message = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
      if (message[0] !== CLIENT_HELLO) return "invalid";
      const total = 4 + message.readUIntBE(1, 3);
      if (total > 65536) return "invalid";
      if (have >= total) return message.subarray(4, total);
    }
    if (fragment.length < length) return "incomplete";
    at += 5 + length;
  }
}

function parseHello(hello: Buffer): ClientHello | "invalid" {
  let serverName = "";
  const alpn: string[] = [];
  try {
    let at = 34; // version, random
    at += 1 + hello.readUInt8(at); // session id
    at += 2 + hello.readUInt16BE(at); // cipher suites
    at += 1 + hello.readUInt8(at); // compression methods
    if (at === hello.length) return { serverName, alpn };
    const end = at + 2 + hello.readUInt16BE(at);
    at += 2;
    if (end > hello.length) return "invalid";
    while (at + 4 <= end) {
      const type = hello.readUInt16BE(at);
      const length = hello.readUInt16BE(at + 2);
      const body = hello.subarray(at + 4, at + 4 + length);
      if (body.length < length) return "invalid";
      if (type === EXTENSION_SERVER_NAME && length > 5 && body[2] === 0) {
        serverName = body.latin1Slice(5, 5 + body.readUInt16BE(3)).toLowerCase();
      } else if (type === EXTENSION_ALPN && length > 2) {
        for (let next = 2; next < body.length;) {
          const size = body.readUInt8(next);
          alpn.push(body.latin1Slice(next + 1, next + 1 + size));
          next += 1 + size;
        }
      }
      at += 4 + length;
    }
  } catch {
    return "invalid"; // a length points outside the message
  }
  return { serverName, alpn };
}
