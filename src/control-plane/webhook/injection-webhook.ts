// The injection webhook: may this pod have a sidecar, and what would it be. The decision and the patch are those of
// `meshctl inject`; what the API server knows better (the namespace, who made the pod) comes from the request.
import { formatProblems } from "../../common/result.ts";
import { checkPod, obstacleOf } from "../../manifests/inject/check-pod.ts";
import { PROXY_CONTAINER } from "../../manifests/injected-containers.ts";
import type { InjectionValues } from "../../manifests/injected-containers.ts";
import { decideInjection, undecidedWords } from "../../manifests/injection-decision.ts";
import type { InjectionDecision } from "../../manifests/injection-decision.ts";
import { INJECTED_ANNOTATION, recordOf } from "../../manifests/injection-record.ts";
import { planAdditions, toPatch } from "../../manifests/injector.ts";
import type { ObjectMeta, PodTemplate } from "../../manifests/kube-objects.ts";
import { podSecurityWarning } from "../../manifests/pod-security.ts";
import type { AdmissionAnswer, AdmissionRequest } from "./admission-review.ts";
import { workloadOf } from "./pod-owner.ts";
import type { InjectionOutcome } from "./webhook-metrics.ts";

export interface Namespaces {
  /** As it was last heard of; undefined: never. */
  known(name: string): ObjectMeta | undefined;
  /** As it is now; undefined: there is none. */
  fetch(name: string): Promise<ObjectMeta | undefined>;
}

export interface InjectionReport {
  readonly outcome: InjectionOutcome;
  /** A word for the metric. */
  readonly reason: string;
  /** For people. */
  readonly text: string;
  /** What the review was about; undefined where it was no pod. */
  readonly pod: PodTemplate | undefined;
  readonly request: AdmissionRequest;
}

export interface Reviewed {
  readonly answer: AdmissionAnswer;
  readonly report: InjectionReport;
}

export interface InjectionWebhookOptions {
  readonly values: InjectionValues;
  readonly namespaces: Namespaces;
  /** Why pods can't have native sidecars; undefined: they can. */
  readonly noNativeSidecars: () => string | undefined;
}

/** Of the metric. */
export const INJECTED_ALREADY = "injected-already";

export class InjectionWebhook {
  readonly #options: InjectionWebhookOptions;

  constructor(options: InjectionWebhookOptions) {
    this.#options = options;
  }

  async review(request: AdmissionRequest): Promise<Reviewed> {
    const { group, resource } = request.resource;
    const isPod = group === "" && resource === "pods" && request.subResource === "" && request.operation === "CREATE";
    if (!isPod) return this.#skip(request, undefined, "not-a-pod", `${request.operation} ${resource} is none of the webhook's business`);
    const checked = checkPod(request.object);
    if (!checked.ok) return this.#refuse(request, undefined, formatProblems(checked.problems));
    const { pod } = checked.value;
    if (isInjected(pod)) return this.#skip(request, pod, INJECTED_ALREADY, "it has the sidecar already");
    const { decision, namespace } = await this.#decide(pod, request.namespace);
    const words = undecidedWords(pod.metadata);
    if (!decision.inject) return this.#skip(request, pod, decision.decidedBy, decision.reason, words);
    const obstacle = obstacleOf(pod);
    if (obstacle !== undefined) return this.#skip(request, pod, obstacle.word, obstacle.text, [...words, `no sidecar: ${obstacle.text}`]);
    const warnings = [...checked.value.warnings, ...words, ...podSecurityWarning(request.namespace, namespace)];
    return this.#inject(request, pod, decision, warnings);
  }

  /** A no that isn't the pod's own may be one that was taken back a moment ago: the API server asks only where somebody said yes. */
  async #decide(pod: PodTemplate, name: string): Promise<{ decision: InjectionDecision; namespace: ObjectMeta | undefined }> {
    const { namespaces } = this.#options;
    const known = namespaces.known(name);
    const decision = decideInjection(pod, name, known, "disabled");
    if (decision.inject || (decision.decidedBy !== "namespace" && decision.decidedBy !== "policy")) return { decision, namespace: known };
    const now = await namespaces.fetch(name);
    return { decision: decideInjection(pod, name, now, "disabled"), namespace: now };
  }

  #inject(request: AdmissionRequest, pod: PodTemplate, decision: InjectionDecision, warnings: readonly string[]): Reviewed {
    const additions = planAdditions(pod, workloadOf(pod.metadata, request.namespace), this.#options.values);
    if (!additions.ok) return this.#refuse(request, pod, formatProblems(additions.problems));
    const isNative = additions.value.lists.some(
      ({ field, items }) => field === "initContainers" && items.some((each) => each.name === PROXY_CONTAINER),
    );
    const obstacle = isNative ? this.#options.noNativeSidecars() : undefined;
    if (obstacle !== undefined) return this.#refuse(request, pod, obstacle);
    const patch = toPatch(pod, additions.value, recordOf(pod, additions.value));
    const report = { outcome: "injected", reason: decision.decidedBy, text: decision.reason, pod, request } as const;
    const told = [...warnings, ...additions.value.warnings];
    return { answer: { allowed: true, patch, auditAnnotations: auditOf(report), warnings: told }, report };
  }

  #skip(request: AdmissionRequest, pod: PodTemplate | undefined, reason: string, text: string, warnings: readonly string[] = []): Reviewed {
    const report = { outcome: "skipped", reason, text, pod, request } as const;
    return { answer: { allowed: true, auditAnnotations: auditOf(report), warnings }, report };
  }

  #refuse(request: AdmissionRequest, pod: PodTemplate | undefined, text: string): Reviewed {
    const report = { outcome: "refused", reason: "invalid", text, pod, request } as const;
    const message = `the pod can't have a sidecar: ${text}`;
    return { answer: { allowed: false, message, auditAnnotations: auditOf(report) }, report };
  }
}

function auditOf({ outcome, text }: InjectionReport): Readonly<Record<string, string>> {
  return { decision: outcome, reason: text };
}

/** The record alone is no sidecar: somebody may have copied it. */
function isInjected({ metadata, spec }: PodTemplate): boolean {
  if (metadata?.annotations?.[INJECTED_ANNOTATION] === undefined) return false;
  return [...(spec.initContainers ?? []), ...spec.containers].some((each) => each.name === PROXY_CONTAINER);
}
