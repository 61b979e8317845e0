// Admission reviews as an API server sends them, and what is read of the answers.
import { applyJsonPatch } from "../../../src/manifests/json-patch.ts";
import type { JsonPatchOperation } from "../../../src/manifests/json-patch.ts";

export interface ReviewOptions {
  readonly operation?: string;
  readonly namespace?: string;
  readonly dryRun?: boolean;
  readonly resource?: { readonly group: string; readonly version: string; readonly resource: string };
  readonly oldObject?: unknown;
}

const PODS = { group: "", version: "v1", resource: "pods" };

export function reviewOf(object: unknown, options: ReviewOptions = {}): Record<string, unknown> {
  const { operation = "CREATE", namespace = "shop", dryRun = false, resource = PODS, oldObject = null } = options;
  return {
    apiVersion: "admission.k8s.io/v1",
    kind: "AdmissionReview",
    request: { uid: "705ab4f5-6393-11e8-b7cc-42010a800002", operation, namespace, dryRun, resource, object, oldObject },
  };
}

/** The pod of a ReplicaSet, before it has a name. */
export function podOf(metadata: Record<string, unknown> = {}, spec: Record<string, unknown> = {}): Record<string, unknown> {
  const owner = { apiVersion: "apps/v1", kind: "ReplicaSet", name: "web-5d4f8", uid: "u-1", controller: true, blockOwnerDeletion: true };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      generateName: "web-5d4f8-",
      creationTimestamp: null,
      ownerReferences: [owner],
      ...metadata,
      labels: { "pod-template-hash": "5d4f8", ...(metadata["labels"] as object | undefined) },
    },
    spec: { containers: [{ name: "web", image: "web", resources: {} }], ...spec },
    status: {},
  };
}

export interface ReadResponse {
  readonly uid: string;
  readonly allowed: boolean;
  readonly status?: { readonly code: number; readonly message: string };
  readonly patchType?: string;
  readonly patch?: string;
  readonly auditAnnotations?: Readonly<Record<string, string>>;
  readonly warnings?: readonly string[];
}

/** What an API server makes of the object. */
export function patched<T>(object: T, { patch }: ReadResponse): T {
  const operations = patch === undefined ? [] : (JSON.parse(Buffer.from(patch, "base64").toString()) as JsonPatchOperation[]);
  return applyJsonPatch(object, operations);
}
