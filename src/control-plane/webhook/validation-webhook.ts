// The validation webhook: mesh configuration is judged by ingest's own validation before it is stored.
import { isDeepStrictEqual } from "node:util";
import { formatProblems } from "../../common/result.ts";
import type { Logger } from "../../common/log.ts";
import { isMeshKind } from "../../mesh-api/mesh-kinds.ts";
import type { ConfigProblem, RawObject } from "../ingest/raw-object.ts";
import { validate } from "../ingest/validate.ts";
import { isJson } from "./admission-review.ts";
import type { AdmissionAnswer, AdmissionRequest, Json } from "./admission-review.ts";
import type { WebhookMetrics } from "./webhook-metrics.ts";

export class ValidationWebhook {
  readonly #metrics: WebhookMetrics;
  readonly #log: Logger;

  constructor(metrics: WebhookMetrics, log: Logger) {
    this.#metrics = metrics;
    this.#log = log;
  }

  review(request: AdmissionRequest): AdmissionAnswer {
    const { object, oldObject, operation, resource } = request;
    if (object === undefined || (operation !== "CREATE" && operation !== "UPDATE")) return { allowed: true };
    const raw = toRawObject(object, request.namespace);
    const result = validate(raw);
    this.#metrics.countValidation(resource, result.ok);
    if (result.ok) return { allowed: true };
    const message = describeProblems(result.problems);
    if (!isMeshKind(raw.kind)) return this.#pass(request, raw, message);
    // What was let in before must be able to lose its finalizers and get labels.
    const isOld = oldObject !== undefined && (isGoing(object) || isDeepStrictEqual(object["spec"], oldObject["spec"]));
    if (isOld) return { allowed: true, warnings: [message] };
    return { allowed: false, message, auditAnnotations: { problems: message } };
  }

  /** Who has such a kind has another mesh, whose business it may be. */
  #pass(request: AdmissionRequest, raw: RawObject, problem: string): AdmissionAnswer {
    const object = `${raw.kind} ${raw.namespace}/${raw.name}`;
    if (!request.dryRun) this.#log.warn({ object, apiVersion: raw.apiVersion }, `it has no effect in this mesh: ${problem}`);
    return { allowed: true, warnings: [`${object} has no effect in this mesh: ${problem}`] };
  }
}

/** Every problem with its field, in one line. */
export function describeProblems(problems: readonly ConfigProblem[]): string {
  return formatProblems(problems.map(({ field, message }) => ({ path: field, message })));
}

function toRawObject(object: Json, namespace: string): RawObject {
  const metadata = isJson(object["metadata"]) ? object["metadata"] : {};
  const given = metadata["name"] ?? metadata["generateName"];
  const name = typeof given === "string" ? given : "";
  return {
    apiVersion: String(object["apiVersion"]),
    kind: String(object["kind"]),
    namespace,
    name,
    // A name that is still to be generated is none of the object's problems.
    value: { ...object, metadata: { ...metadata, name } },
    origin: { file: "cluster", locate: () => ({ line: 0, column: 0 }) },
  };
}

function isGoing(object: Json): boolean {
  return isJson(object["metadata"]) && typeof object["metadata"]["deletionTimestamp"] === "string";
}
