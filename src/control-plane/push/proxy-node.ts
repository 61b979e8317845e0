// A sidecar's first words → who it is. Where it has proven an identity, what it claims must agree with that.
import type { JsonValue } from "@bufbuild/protobuf";
import type { Admission, PeerIdentity } from "../../xds/ads-server.ts";
import type { Node } from "../../xds/gen/envoy/config/core/v3/base_pb.ts";
import { NodeMetadata } from "../../xds/names.ts";
import { shorten } from "../../common/shorten.ts";
import type { ProxyNode } from "../translate/proxy-view.ts";

/** `sidecar~<ip>~<pod>.<namespace>~<domain>` (Istio). */
const NODE_ID = /^(?<type>[^~]+)~(?<ip>[^~]*)~(?<pod>[^~]+)\.(?<namespace>[^~.]+)~(?<domain>[^~]*)$/;

/** Names of pods and namespaces and DNS domains end well before. */
const MAX_ID_CHARS = 1024;
/** It goes into gRPC's trailers: what doesn't fit there ends the connection without a word. */
const MAX_REASON_CHARS = 2048;

/** What is known of a pod from elsewhere; undefined: nothing (yet). */
export type FindPod = (namespace: string, name: string) => { readonly uid?: string; readonly serviceAccount: string } | undefined;

export function admitProxy(node: Node, identity: PeerIdentity | undefined, findPod: FindPod): Admission<ProxyNode> {
  if (node.id.length > MAX_ID_CHARS) return refusal(`the node id is longer than ${MAX_ID_CHARS} characters`);
  const id = NODE_ID.exec(node.id)?.groups;
  if (id === undefined) {
    return refusal(`node id ${JSON.stringify(node.id)} is not of the form sidecar~<ip>~<pod>.<namespace>~<domain>`);
  }
  if (id["type"] !== "sidecar") return refusal(`node type ${JSON.stringify(id["type"])} is not supported; only sidecar is`);
  const metadata = node.metadata ?? {};
  const namespace = id["namespace"] ?? "";
  const claimedNamespace = text(metadata[NodeMetadata.namespace]) ?? namespace;
  if (claimedNamespace !== namespace) return refusal(`node id is of namespace ${namespace}, its metadata of ${claimedNamespace}`);
  const serviceAccount = text(metadata[NodeMetadata.serviceAccount]) ?? identity?.serviceAccount ?? "default";
  const pod = id["pod"] ?? "";
  if (identity !== undefined) {
    const proven = `${identity.namespace}/${identity.serviceAccount}`;
    if (`${namespace}/${serviceAccount}` !== proven) {
      return refusal(`the caller is service account ${proven}, the node claims ${namespace}/${serviceAccount}`);
    }
    const known = findPod(namespace, pod);
    if (identity.pod === undefined) {
      // A certificate tells no pod: it may only be one of its own account's.
      if (known !== undefined && known.serviceAccount !== serviceAccount)
        return refusal(`the certificate is of service account ${proven}, the pod ${pod} is of ${namespace}/${known.serviceAccount}`);
    } else {
      if (identity.pod.name !== pod) return refusal(`the token is of pod ${identity.pod.name}, the node claims ${pod}`);
      // A pod of the same name before or after this one: what is known catches up, or the token is refused soon.
      if (known?.uid !== undefined && known.uid !== identity.pod.uid)
        return { ...refusal(`the token is of pod ${pod} with uid ${identity.pod.uid}, known is ${known.uid}`), isTemporary: true };
    }
  }
  const ip = id["ip"] ?? "";
  const addresses = texts(metadata[NodeMetadata.instanceIps]);
  return {
    ok: true,
    proxy: {
      id: node.id,
      pod,
      namespace,
      serviceAccount,
      addresses: addresses.length > 0 ? addresses : ip === "" ? [] : [ip],
      labels: labels(metadata[NodeMetadata.labels]),
      version: text(metadata[NodeMetadata.version]) ?? "",
    },
  };
}

function refusal(reason: string): { readonly ok: false; readonly reason: string } {
  return { ok: false, reason: shorten(reason, MAX_REASON_CHARS) };
}

function text(value: JsonValue | undefined): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** An array, or one comma-separated text, as Istio's agent sends it. */
function texts(value: JsonValue | undefined): string[] {
  const list = typeof value === "string" ? value.split(",") : Array.isArray(value) ? value : [];
  return list
    .filter((each) => typeof each === "string")
    .map((each) => each.trim())
    .filter((each) => each !== "");
}

function labels(value: JsonValue | undefined): Record<string, string> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return {};
  return Object.fromEntries(Object.entries(value).filter((pair): pair is [string, string] => typeof pair[1] === "string"));
}
