// What the status of a mesh object must say of its validation, in Istio's words: a condition `Reconciled` and
// `validationMessages`. A valid object that was never marked needs none.
import { isDeepStrictEqual } from "node:util";
import { shorten } from "../../common/shorten.ts";
import type { ConfigProblem, RawObject } from "../ingest/raw-object.ts";
import { validate } from "../ingest/validate.ts";
import { isJson } from "./admission-review.ts";
import type { Json } from "./admission-review.ts";
import { describeProblems } from "./validation-webhook.ts";

/** As metav1.Condition has it. */
const MAX_MESSAGE_CHARS = 32_768;
const CONDITION = "Reconciled";
const REASONS = { bad: "InvalidConfiguration", good: "Valid" } as const;

/** @returns fields of the status that must change; undefined where it is right already. */
export function wantedStatus(raw: RawObject, nowMs: number): Json | undefined {
  const metadata = isJson(raw.value["metadata"]) ? raw.value["metadata"] : {};
  const status = isJson(raw.value["status"]) ? raw.value["status"] : {};
  const conditions = (Array.isArray(status["conditions"]) ? (status["conditions"] as unknown[]) : []).filter(isJson);
  const old = conditions.find((each) => each["type"] === CONDITION);
  const isOurs = old !== undefined && Object.values<unknown>(REASONS).includes(old["reason"]);
  const result = validate(raw);
  if (result.ok && !isOurs) return undefined;
  const generation = metadata["generation"];
  const observed = typeof generation === "number" ? { observedGeneration: generation } : {};
  const verdict = result.ok
    ? { status: "True", reason: REASONS.good, message: "the object is valid" }
    : { status: "False", reason: REASONS.bad, message: shorten(describeProblems(result.problems), MAX_MESSAGE_CHARS) };
  const messages = result.ok ? null : result.problems.map(toMessage);
  const isRight = Object.entries({ ...verdict, ...observed }).every(([field, value]) => old?.[field] === value);
  if (isRight && isDeepStrictEqual(status["validationMessages"] ?? null, messages)) return undefined;
  const now = new Date(nowMs).toISOString().replace(/\.\d+Z$/, "Z");
  const lastTransitionTime = old?.["status"] === verdict.status ? (old["lastTransitionTime"] ?? now) : now;
  const condition = { type: CONDITION, ...verdict, ...observed, lastTransitionTime };
  return { conditions: [...conditions.filter((each) => each !== old), condition], validationMessages: messages, ...observed };
}

/** IST0106 of istioctl analyze: an object that its schema refuses. */
function toMessage({ field, message }: ConfigProblem): Json {
  const text = field === "" ? message : `${field}: ${message}`;
  return { type: { name: "SchemaValidationError", code: "IST0106" }, level: "ERROR", message: text };
}
