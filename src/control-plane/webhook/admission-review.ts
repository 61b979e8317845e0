// AdmissionReview, admission.k8s.io/v1: what an API server asks a webhook about one object, and what it is answered.
// https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#webhook-request-and-response
import type { JsonPatchOperation } from "../../manifests/json-patch.ts";
import { shorten } from "../../common/shorten.ts";

export type Json = Readonly<Record<string, unknown>>;

export interface AdmissionRequest {
  readonly uid: string;
  readonly operation: string;
  /** The server asks what would happen; nothing else may come of it. */
  readonly dryRun: boolean;
  /** Empty for objects of the whole cluster. */
  readonly namespace: string;
  readonly resource: { readonly group: string; readonly version: string; readonly resource: string };
  readonly subResource: string;
  /** undefined where there is none, as the object of a DELETE. */
  readonly object: Json | undefined;
  readonly oldObject: Json | undefined;
}

export interface AdmissionAnswer {
  readonly allowed: boolean;
  /** Why it is not allowed; the API server puts the webhook's name in front of it. */
  readonly message?: string;
  readonly patch?: readonly JsonPatchOperation[];
  /** The API server puts the webhook's name in front of the keys. */
  readonly auditAnnotations?: Readonly<Record<string, string>>;
  /** Shown by kubectl to whoever sent the object. */
  readonly warnings?: readonly string[];
}

export type ParsedReview = { readonly ok: true; readonly request: AdmissionRequest } | { readonly ok: false; readonly message: string };

const API_VERSION = "admission.k8s.io/v1";
/** The API server cuts warnings that are longer, and warns about them in its log. */
const MAX_WARNING_CHARS = 256;
/** A person reads it, and the audit log keeps it. */
const MAX_MESSAGE_CHARS = 8_000;

export function parseReview(text: string): ParsedReview {
  let review: unknown;
  try {
    review = JSON.parse(text);
  } catch (error) {
    return { ok: false, message: `the body is no JSON: ${(error as Error).message}` };
  }
  if (!isJson(review)) return { ok: false, message: "the body is no JSON object" };
  const { apiVersion, kind, request } = review;
  if (apiVersion !== API_VERSION || kind !== "AdmissionReview")
    return { ok: false, message: `wanted is an AdmissionReview of ${API_VERSION}, not ${String(kind)} of ${String(apiVersion)}` };
  if (!isJson(request)) return { ok: false, message: "request: is missing" };
  const { uid, operation, resource } = request;
  if (!isText(uid) || uid === "") return { ok: false, message: "request.uid: is missing" };
  if (!isText(operation)) return { ok: false, message: "request.operation: is missing" };
  if (!isJson(resource) || !isText(resource["version"]) || !isText(resource["resource"]))
    return { ok: false, message: "request.resource: is missing" };
  return {
    ok: true,
    request: {
      uid,
      operation,
      dryRun: request["dryRun"] === true,
      namespace: textOf(request["namespace"]),
      resource: { group: textOf(resource["group"]), version: resource["version"], resource: resource["resource"] },
      subResource: textOf(request["subResource"]),
      object: isJson(request["object"]) ? request["object"] : undefined,
      oldObject: isJson(request["oldObject"]) ? request["oldObject"] : undefined,
    },
  };
}

/** The review that goes back. */
export function toReview(uid: string, answer: AdmissionAnswer): Json {
  const { allowed, message, patch = [], auditAnnotations, warnings = [] } = answer;
  const annotations = Object.entries(auditAnnotations ?? {}).map(([key, text]) => [key, shorten(text, MAX_MESSAGE_CHARS)]);
  return {
    apiVersion: API_VERSION,
    kind: "AdmissionReview",
    response: {
      uid,
      allowed,
      ...(message === undefined ? {} : { status: { code: 422, reason: "Invalid", message: shorten(message, MAX_MESSAGE_CHARS) } }),
      ...(patch.length === 0 ? {} : { patchType: "JSONPatch", patch: Buffer.from(JSON.stringify(patch)).toString("base64") }),
      ...(annotations.length === 0 ? {} : { auditAnnotations: Object.fromEntries(annotations) as object }),
      ...(warnings.length === 0 ? {} : { warnings: warnings.map((each) => shorten(each, MAX_WARNING_CHARS)) }),
    },
  };
}

export function isJson(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function textOf(value: unknown): string {
  return isText(value) ? value : "";
}
