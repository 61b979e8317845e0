// Resources as the server keeps and sends them: encoded once, versioned by their bytes, assembled into responses
// without being decoded again.
import { createHash } from "node:crypto";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

export interface EncodedResource {
  readonly name: string;
  /** Hash of the bytes: equal versions mean equal resources. */
  readonly version: string;
  /** An encoded google.protobuf.Any. */
  readonly bytes: Uint8Array;
}

/** Everything that one proxy is to have, by type URL and name. */
export interface ResourceSet {
  /** What `version_info` says; for people. */
  readonly version: string;
  readonly types: ReadonlyMap<string, ReadonlyMap<string, EncodedResource>>;
}

export function encodeResource(typeUrl: string, name: string, value: Uint8Array): EncodedResource {
  const bytes = new BinaryWriter().tag(1, WireType.LengthDelimited).string(typeUrl).tag(2, WireType.LengthDelimited).bytes(value).finish();
  return { name, version: createHash("sha1").update(bytes).digest("base64url").slice(0, 16), bytes };
}

export interface ResponseParts {
  readonly version: string;
  readonly typeUrl: string;
  readonly nonce: string;
  readonly resources: readonly EncodedResource[];
  /** Names this control plane, for people who look at the wire. */
  readonly controlPlane: string;
}

/** envoy.service.discovery.v3.DiscoveryResponse, field by field. */
export function encodeResponse(parts: ResponseParts): Uint8Array {
  const writer = new BinaryWriter().tag(1, WireType.LengthDelimited).string(parts.version);
  for (const each of parts.resources) writer.tag(2, WireType.LengthDelimited).bytes(each.bytes);
  return writer
    .tag(4, WireType.LengthDelimited)
    .string(parts.typeUrl)
    .tag(5, WireType.LengthDelimited)
    .string(parts.nonce)
    .tag(6, WireType.LengthDelimited)
    .bytes(new BinaryWriter().tag(1, WireType.LengthDelimited).string(parts.controlPlane).finish())
    .finish();
}
