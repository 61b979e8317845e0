// A P-256 key pair and a PKCS #10 request for it (RFC 2986), the DER written by hand: an X.509 library would cost
// each sidecar 10 MB.
import { createPublicKey, generateKeyPairSync, sign } from "node:crypto";

export interface KeyAndRequest {
  /** PKCS #8, PEM. */
  readonly keyPem: string;
  readonly csrPem: string;
}

const Tag = { bitString: 0x03, octetString: 0x04, oid: 0x06, sequence: 0x30, set: 0x31, attributes: 0xa0, uri: 0x86 } as const;

// Ready-made TLVs of what never changes.
const VERSION_0 = Buffer.from("020100", "hex");
const TRUE = Buffer.from("0101ff", "hex");
const EMPTY_NAME = Buffer.from("3000", "hex");
const ECDSA_WITH_SHA256 = Buffer.from("300a06082a8648ce3d040302", "hex"); // 1.2.840.10045.4.3.2
const EXTENSION_REQUEST = Buffer.from("06092a864886f70d01090e", "hex"); // 1.2.840.113549.1.9.14
const SUBJECT_ALT_NAME = Buffer.from("0603551d11", "hex"); // 2.5.29.17

function lengthBytes(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  if (length < 0x100) return Buffer.from([0x81, length]);
  return Buffer.from([0x82, length >> 8, length & 0xff]);
}

function tlv(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag]), lengthBytes(content.length), content]);
}

function pem(label: string, der: Buffer): string {
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}

/** The extensionRequest attribute with one critical subjectAltName (critical as the subject is empty, RFC 5280 §4.2.1.6). */
function sanAttribute(uri: string): Buffer {
  const names = tlv(Tag.sequence, tlv(Tag.uri, Buffer.from(uri, "ascii")));
  const extension = tlv(Tag.sequence, SUBJECT_ALT_NAME, TRUE, tlv(Tag.octetString, names));
  return tlv(Tag.sequence, EXTENSION_REQUEST, tlv(Tag.set, tlv(Tag.sequence, extension)));
}

/**
 * Makes a new key and a request signed with it.
 * @param uri the SPIFFE ID to ask for. The mesh's own CA takes the name from the caller's token; cert-manager's
 *   istio-csr insists that the request has it too.
 */
export function createKeyAndRequest(uri: string): KeyAndRequest {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const publicKey = createPublicKey(privateKey).export({ type: "spki", format: "der" });
  const info = tlv(Tag.sequence, VERSION_0, EMPTY_NAME, publicKey, tlv(Tag.attributes, sanAttribute(uri)));
  const signature = sign("sha256", info, privateKey);
  const request = tlv(Tag.sequence, info, ECDSA_WITH_SHA256, tlv(Tag.bitString, Buffer.from([0]), signature));
  return { keyPem: privateKey.export({ type: "pkcs8", format: "pem" }), csrPem: pem("CERTIFICATE REQUEST", request) };
}
