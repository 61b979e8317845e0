// From Deployments and Pods to what should run: injected pod templates with a hash, by owner. Pure.
import { createHash } from "node:crypto";
import { formatProblems, type Result } from "../../common/result.ts";
import { decideInjection } from "../../manifests/injection-decision.ts";
import type { InjectionValues, Workload } from "../../manifests/injected-containers.ts";
import { injectionPatch } from "../../manifests/injector.ts";
import { applyJsonPatch } from "../../manifests/json-patch.ts";
import type { KubeObject, PodTemplate } from "../../manifests/kube-objects.ts";
import { keyOf, type ManifestSet, type SourcedObject } from "./manifest-set.ts";

export interface DesiredWorkload {
  /** Kind, namespace and name of the owner: unique. */
  readonly key: string;
  readonly owner: { readonly kind: string; readonly name: string };
  readonly namespace: string;
  readonly replicas: number;
  /** As injection made it. */
  readonly template: PodTemplate;
  readonly templateHash: string;
  readonly meshed: boolean;
}

export interface DesiredState {
  readonly workloads: readonly DesiredWorkload[];
  readonly problems: readonly string[];
}

/** Kubernetes' alphabet for generated names: no vowels, no look-alikes. */
const NAME_ALPHABET = "bcdfghjklmnpqrstvwxz2456789";

export function hashTemplate(template: PodTemplate): string {
  const digest = createHash("sha256").update(JSON.stringify(template)).digest();
  return [...digest.subarray(0, 9)].map((byte) => NAME_ALPHABET[byte % NAME_ALPHABET.length]).join("");
}

export function randomNameSuffix(): string {
  return Array.from({ length: 5 }, () => NAME_ALPHABET[Math.floor(Math.random() * NAME_ALPHABET.length)]).join("");
}

export function desiredState(set: ManifestSet, values: InjectionValues): DesiredState {
  const problems: string[] = [];
  const workloads: DesiredWorkload[] = [];
  const namespaces = new Map(set.namespaces.map(({ object }) => [object.metadata.name, object.metadata]));
  const add = (source: SourcedObject<KubeObject>, template: PodTemplate, replicas: number): void => {
    const { kind, metadata } = source.object;
    const namespace = metadata.namespace ?? "default";
    const owner = { kind, name: metadata.name ?? "" };
    const { inject } = decideInjection(template, namespace, namespaces.get(namespace), "enabled");
    const injected: Result<PodTemplate> = inject
      ? injectWorkload(template, { namespace, ...owner }, values)
      : { ok: true, value: template };
    if (!injected.ok) problems.push(`${source.place}: ${kind} ${owner.name}: ${formatProblems(injected.problems)}`);
    else
      workloads.push({
        key: keyOf(source.object),
        owner,
        namespace,
        replicas,
        template: injected.value,
        templateHash: hashTemplate(injected.value),
        meshed: inject,
      });
  };
  for (const source of set.deployments) add(source, source.object.spec.template, source.object.spec.replicas ?? 1);
  for (const source of set.pods) add(source, { metadata: source.object.metadata, spec: source.object.spec }, 1);
  return { workloads, problems };
}

export function injectWorkload(template: PodTemplate, workload: Workload, values: InjectionValues): Result<PodTemplate> {
  const patch = injectionPatch(template, workload, values);
  return patch.ok ? { ok: true, value: applyJsonPatch(template, patch.value) } : patch;
}
