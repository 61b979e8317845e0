// The injector: a pod template and values become JSON Patch operations. One pure function for the webhook (which sends
// them), for `meshctl inject` (which carries them out on text) and for the local mesh (which applies them to objects).
import { failure, success, type Problem, type Result } from "../common/result.ts";
import { TLS_MODE_MESH } from "../xds/names.ts";
import { rewriteHandlers, type HandlerReplacement } from "./app-probes.ts";
import { captureFlags } from "./capture-annotations.ts";
import {
  INIT_CONTAINER,
  initContainer,
  PROXY_CONTAINER,
  sidecarContainer,
  sidecarVolumes,
  type InjectionValues,
  type Workload,
} from "./injected-containers.ts";
import { INJECTED_ANNOTATION, pointer, recordOf, toIndexes, type Additions, type InjectionRecord } from "./injection-record.ts";
import { escapePointer, type JsonPatchOperation } from "./json-patch.ts";
import type { PodTemplate } from "./kube-objects.ts";
import { planMetrics } from "./metrics-annotations.ts";
import { proxySettings } from "./proxy-annotations.ts";
import { sidecarSettings, type SidecarSettings } from "./sidecar-annotations.ts";
import { unusedAnnotations } from "./unused-annotations.ts";

const STATUS_ANNOTATION = "sidecar.istio.io/status";
const LABEL_VALUE_LIMIT = 63;

/** A label's value ends with a letter or a digit. */
function labelValue(text: string): string {
  return text.slice(0, LABEL_VALUE_LIMIT).replace(/[-_.]+$/, "");
}

function labelsFor(pod: PodTemplate, workload: Workload): Record<string, string> {
  const labels = pod.metadata?.labels ?? {};
  const name = labels["service.istio.io/canonical-name"] ?? labels["app.kubernetes.io/name"] ?? labels["app"] ?? workload.name;
  const revision = labels["service.istio.io/canonical-revision"] ?? labels["app.kubernetes.io/version"] ?? labels["version"] ?? "latest";
  return {
    "security.istio.io/tlsMode": TLS_MODE_MESH,
    "service.istio.io/canonical-name": labelValue(name),
    "service.istio.io/canonical-revision": labelValue(revision),
  };
}

function annotationsFor(pod: PodTemplate, values: InjectionValues): Record<string, string> {
  const first = pod.spec.containers[0]?.name ?? "";
  const sidecarPlace = values.nativeSidecar
    ? { initContainers: [INIT_CONTAINER, PROXY_CONTAINER], containers: null }
    : { initContainers: [INIT_CONTAINER], containers: [PROXY_CONTAINER] };
  const status = { ...sidecarPlace, volumes: sidecarVolumes().map((volume) => volume.name), imagePullSecrets: null, revision: "default" };
  const existing = pod.metadata?.annotations ?? {};
  return {
    ...(existing["kubectl.kubernetes.io/default-container"] === undefined ? { "kubectl.kubernetes.io/default-container": first } : {}),
    [STATUS_ANNOTATION]: JSON.stringify(status),
  };
}

/** Adds members to an object that may be absent, without touching the others. */
function mergeOperations(
  path: string,
  existing: Readonly<Record<string, string>> | null | undefined,
  added: Readonly<Record<string, string>>,
): JsonPatchOperation[] {
  if (existing === undefined || existing === null) return [{ op: "add", path, value: added }];
  return Object.entries(added).map(([key, value]) => ({
    op: existing[key] === undefined ? ("add" as const) : ("replace" as const),
    path: `${path}/${escapePointer(key)}`,
    value,
  }));
}

/** Puts values into a list that may be absent, in front of what is there or behind it. */
function listOperations(
  path: string,
  existing: readonly unknown[] | null | undefined,
  added: readonly unknown[],
  front: boolean,
): JsonPatchOperation[] {
  if (existing === undefined || existing === null) return [{ op: "add", path, value: added }];
  return added.map((value, index) => ({ op: "add" as const, path: `${path}/${front ? index : "-"}`, value }));
}

/** Members that are not there already. */
function missing(
  existing: Readonly<Record<string, string>> | null | undefined,
  wanted: Readonly<Record<string, string>>,
): Record<string, string> {
  return Object.fromEntries(Object.entries(wanted).filter(([key, value]) => existing?.[key] !== value));
}

/** What turns a pod that is not meshed into a meshed one, or everything that makes no sense in it. */
export function planAdditions(pod: PodTemplate, workload: Workload, given: InjectionValues): Result<Additions> {
  const annotations = pod.metadata?.annotations ?? {};
  const capture = captureFlags(annotations);
  const proxy = proxySettings(annotations);
  const settings = sidecarSettings(annotations);
  const metrics = planMetrics(annotations);
  if (!capture.ok || !proxy.ok || !settings.ok || !metrics.ok)
    return failure([capture, proxy, settings, metrics].flatMap((each) => (each.ok ? [] : each.problems)));
  const clash = findClash(pod, settings.value);
  if (clash !== undefined) return failure([clash]);

  const { image = given.image, resources = given.resources, rewritesProbes } = settings.value;
  const limits = resources === undefined ? {} : { resources };
  // A Job whose sidecar is a plain container never ends.
  const nativeSidecar = workload.kind === "Job" || workload.kind === "CronJob" || (settings.value.nativeSidecar ?? given.nativeSidecar);
  const values: InjectionValues = { ...given, image, nativeSidecar, dnsCapture: proxy.value.dnsCapture ?? given.dnsCapture };
  const handlers = rewritesProbes ? rewriteHandlers(pod) : { replacements: [], probers: {}, warnings: [] };
  const { holdsApplication } = proxy.value;
  const init = { ...initContainer(values, capture.value), ...limits };
  const sidecar = {
    ...sidecarContainer(values, pod, workload, {
      ...settings.value,
      flags: [...settings.value.flags, ...proxy.value.flags],
      probers: handlers.probers,
      scrapeTargets: metrics.value.targets,
      holdsApplication,
    }),
    ...limits,
  };
  // With a native sidecar the app's own init containers run captured, behind a ready sidecar; with a plain one
  // nothing may be captured before it runs, so meshctl-init is the last init container.
  const containers: Additions["lists"] = values.nativeSidecar
    ? [{ field: "initContainers", items: [init, sidecar], front: true }]
    : [
        { field: "initContainers", items: [init], front: false },
        { field: "containers", items: [sidecar], front: holdsApplication },
      ];
  return success({
    labels: missing(pod.metadata?.labels, labelsFor(pod, workload)),
    annotations: missing(pod.metadata?.annotations, { ...annotationsFor(pod, values), ...metrics.value.annotations }),
    lists: [...containers, { field: "volumes", items: [...sidecarVolumes(), ...settings.value.volumes], front: false }],
    handlers: handlers.replacements,
    warnings: [...unusedAnnotations(annotations), ...proxy.value.warnings, ...handlers.warnings],
  });
}

/** Names that are taken: the mesh's in the pod, or the pod's by the volumes that its annotation asks for. Or one that is nobody's. */
function findClash({ spec }: PodTemplate, { volumes, volumeMounts }: SidecarSettings): Problem | undefined {
  const containers = [...(spec.initContainers ?? []), ...spec.containers];
  const container = containers.find((each) => each.name === INIT_CONTAINER || each.name === PROXY_CONTAINER);
  if (container !== undefined) return { path: "spec.containers", message: `the name ${container.name} is reserved for the mesh` };
  const own = sidecarVolumes().map((each) => each.name);
  const asked = volumes.map((each) => each.name);
  const podVolumes = (spec.volumes ?? []).map((each) => each.name);
  const taken = podVolumes.find((each) => own.includes(each) || asked.includes(each)) ?? asked.find((each) => own.includes(each));
  if (taken !== undefined) return { path: "spec.volumes", message: `the name ${taken} is reserved for the mesh, or given twice` };
  const mount = volumeMounts.find(({ name }) => ![...own, ...asked, ...podVolumes].includes(name));
  return mount === undefined ? undefined : { path: "spec.volumes", message: `has no ${mount.name}, which the sidecar shall mount` };
}

/**
 * What turns the pod into a meshed one. A pod that is injected already gets no operation.
 * @returns operations relative to the pod (`/metadata`, `/spec`), or every annotation that makes no sense.
 */
export function injectionPatch(pod: PodTemplate, workload: Workload, values: InjectionValues): Result<readonly JsonPatchOperation[]> {
  if (pod.metadata?.annotations?.[INJECTED_ANNOTATION] !== undefined) return success([]);
  const planned = planAdditions(pod, workload, values);
  if (!planned.ok) return planned;
  return success(toPatch(pod, planned.value, recordOf(pod, planned.value)));
}

function handlerOperations(pod: PodTemplate, { path, was, value }: HandlerReplacement): JsonPatchOperation[] {
  const at = pointer(toIndexes(pod, path) ?? []);
  if (was === "httpGet") return [{ op: "replace", path: `${at}/httpGet`, value }];
  return [
    { op: "remove", path: `${at}/${was}` },
    { op: "add", path: `${at}/httpGet`, value },
  ];
}

/** The additions and their record as operations on a pod that is data. */
export function toPatch(pod: PodTemplate, additions: Additions, record: InjectionRecord): JsonPatchOperation[] {
  const annotations = { ...additions.annotations, [INJECTED_ANNOTATION]: JSON.stringify(record) };
  return [
    ...(pod.metadata === undefined || pod.metadata === null ? [{ op: "add" as const, path: "/metadata", value: {} }] : []),
    ...mergeOperations("/metadata/labels", pod.metadata?.labels, additions.labels),
    ...mergeOperations("/metadata/annotations", pod.metadata?.annotations, annotations),
    // Before the lists, whose indexes they go by, grow in front.
    ...additions.handlers.flatMap((each) => handlerOperations(pod, each)),
    ...additions.lists.flatMap(({ field, items, front }) => listOperations(`/spec/${field}`, pod.spec[field], items, front)),
  ];
}
