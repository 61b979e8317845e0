// The Kubernetes objects that the mesh reads, reduced to the fields that matter. Unlike the mesh API these schemas are
// loose: Kubernetes has its own validation, and most of an object's fields are none of our business.
import { z } from "zod";
import type { KubernetesKind, KubernetesObject, ObjectMeta } from "./mesh-object.ts";

const text = z.string({ error: "must be a string" });
const texts = z.record(z.string(), text).nullish();
const portNumber = z
  .int({ error: "must be a port number" })
  .min(1, "must be a port from 1 to 65535")
  .max(65535, "must be a port from 1 to 65535");

const metadata = z.looseObject({
  name: text,
  namespace: text.nullish(),
  uid: text.nullish(),
  labels: texts,
  annotations: texts,
  creationTimestamp: text.nullish(),
  ownerReferences: z.array(z.looseObject({ kind: text, name: text, controller: z.boolean().nullish() })).nullish(),
});

const service = z.looseObject({
  spec: z.looseObject({
    type: text.nullish(),
    clusterIP: text.nullish(),
    clusterIPs: z.array(text).nullish(),
    externalName: text.nullish(),
    selector: texts,
    ports: z
      .array(
        z.looseObject({
          name: text.nullish(),
          port: portNumber,
          targetPort: z.union([portNumber, text], { error: "must be a port number or the name of a container port" }).nullish(),
          protocol: z.enum(["TCP", "UDP", "SCTP"], { error: "must be TCP, UDP or SCTP" }).nullish(),
          appProtocol: text.nullish(),
        }),
      )
      .nullish(),
  }),
});

const endpointSlice = z.looseObject({
  ports: z.array(z.looseObject({ name: text.nullish(), port: portNumber.nullish() })).nullish(),
  endpoints: z
    .array(
      z.looseObject({
        addresses: z.array(text),
        conditions: z
          .looseObject({ ready: z.boolean().nullish(), serving: z.boolean().nullish(), terminating: z.boolean().nullish() })
          .nullish(),
        hostname: text.nullish(),
        targetRef: z.looseObject({ kind: text.nullish(), name: text.nullish(), namespace: text.nullish() }).nullish(),
        nodeName: text.nullish(),
        zone: text.nullish(),
      }),
    )
    .nullish(),
});

const container = z.looseObject({ ports: z.array(z.looseObject({ name: text.nullish(), containerPort: portNumber })).nullish() });
const pod = z.looseObject({
  spec: z.looseObject({
    serviceAccountName: text.nullish(),
    nodeName: text.nullish(),
    hostNetwork: z.boolean().nullish(),
    containers: z.array(container).nullish(),
    initContainers: z.array(container).nullish(),
  }),
  status: z.looseObject({ phase: text.nullish(), podIP: text.nullish(), podIPs: z.array(z.looseObject({ ip: text })).nullish() }).nullish(),
});

/** The API group of each kind that is read; `v1` is the core group. */
export const KUBERNETES_KINDS: Readonly<Record<KubernetesKind, RegExp>> = {
  Service: /^v1$/,
  ServiceAccount: /^v1$/,
  Pod: /^v1$/,
  Namespace: /^v1$/,
  Node: /^v1$/,
  EndpointSlice: /^discovery\.k8s\.io\/v1(beta1)?$/,
};

export const objectEnvelope = z.looseObject({ metadata });

export function toMeta(value: z.output<typeof metadata>, namespace: string): ObjectMeta {
  const createdMs = Date.parse(value.creationTimestamp ?? "");
  return {
    name: value.name,
    namespace,
    ...(typeof value.uid === "string" ? { uid: value.uid } : {}),
    labels: value.labels ?? {},
    annotations: value.annotations ?? {},
    createdMs: Number.isNaN(createdMs) ? 0 : createdMs,
  };
}

/** Reduces a Kubernetes object. Throws ZodError with every problem, paths from the object's root. */
export function reduceKubernetesObject(kind: KubernetesKind, value: unknown, namespace: string): KubernetesObject | undefined {
  const envelope = objectEnvelope.parse(value);
  const meta = toMeta(envelope.metadata, namespace);
  switch (kind) {
    case "Namespace":
    case "Node":
    case "ServiceAccount":
      return { kind, meta };
    case "Service": {
      const { spec } = service.parse(value);
      const headless = spec.clusterIP === "None";
      const addresses = spec.clusterIPs ?? (spec.clusterIP ? [spec.clusterIP] : []);
      return {
        kind,
        meta,
        headless,
        addresses: headless ? [] : addresses.filter((each) => each !== "" && each !== "None"),
        externalName: spec.type === "ExternalName" ? (spec.externalName ?? "") : undefined,
        selector: spec.selector ?? {},
        ports: (spec.ports ?? []).map((each) => ({
          name: each.name ?? "",
          port: each.port,
          targetPort: each.targetPort ?? each.port,
          transport: each.protocol ?? "TCP",
          appProtocol: each.appProtocol ?? undefined,
        })),
      };
    }
    case "EndpointSlice": {
      const slice = endpointSlice.parse(value);
      const owner = meta.labels["kubernetes.io/service-name"];
      // A slice without the label belongs to no Service that the mesh knows.
      if (owner === undefined) return undefined;
      return {
        kind,
        meta,
        service: owner,
        ports: (slice.ports ?? []).flatMap((each) =>
          each.port === null || each.port === undefined ? [] : [{ name: each.name ?? "", port: each.port }],
        ),
        endpoints: (slice.endpoints ?? []).map((each) => ({
          addresses: each.addresses,
          // EndpointConditions: an unknown `ready` is to be taken for true, `serving` follows `ready`.
          ready: each.conditions?.ready ?? true,
          serving: each.conditions?.serving ?? each.conditions?.ready ?? true,
          terminating: each.conditions?.terminating ?? false,
          hostname: each.hostname ?? undefined,
          pod:
            each.targetRef?.kind === "Pod" && each.targetRef.name
              ? { name: each.targetRef.name, namespace: each.targetRef.namespace ?? namespace }
              : undefined,
          nodeName: each.nodeName ?? undefined,
          zone: each.zone ?? undefined,
        })),
      };
    }
    case "Pod": {
      const { spec, status } = pod.parse(value);
      const namedPorts: Record<string, number> = {};
      for (const each of [...(spec.initContainers ?? []), ...(spec.containers ?? [])]) {
        for (const port of each.ports ?? []) if (port.name) namedPorts[port.name] = port.containerPort;
      }
      return {
        kind,
        meta,
        serviceAccount: spec.serviceAccountName || "default",
        addresses: addressesOf(status),
        nodeName: spec.nodeName ?? undefined,
        hostNetwork: spec.hostNetwork ?? false,
        owner: toOwner(envelope.metadata),
        namedPorts,
      };
    }
  }
}

/** A pod that has ended keeps its addresses in its status, while Kubernetes gives them to the next. */
function addressesOf(status: z.output<typeof pod>["status"]): string[] {
  if (status?.phase === "Succeeded" || status?.phase === "Failed") return [];
  const ips = (status?.podIPs ?? []).map((each) => each.ip);
  return ips.length > 0 ? ips : status?.podIP ? [status.podIP] : [];
}

function toOwner(meta: z.output<typeof metadata>): { kind: string; name: string } | undefined {
  const reference = meta.ownerReferences?.find((each) => each.controller === true) ?? meta.ownerReferences?.[0];
  if (reference === undefined) return undefined;
  const hash = meta.labels?.["pod-template-hash"];
  if (reference.kind === "ReplicaSet" && hash !== undefined && reference.name.endsWith(`-${hash}`)) {
    return { kind: "Deployment", name: reference.name.slice(0, -hash.length - 1) };
  }
  return { kind: reference.kind, name: reference.name };
}
