// `meshctl inject` on one file: decides, plans with the injector and writes into the text, document by document.
import { isDeepStrictEqual } from "node:util";
import { formatProblems } from "../../common/result.ts";
import { VERSION } from "../../common/version.ts";
import type { FieldPath } from "../../common/yaml.ts";
import { nodeAt, type SourceDocument } from "../../common/yaml-tree.ts";
import { decideInjection, undecidedWords } from "../injection-decision.ts";
import { INJECTED_ANNOTATION, RECORD_LIMIT_BYTES, recordOf, toIndexes, type Additions } from "../injection-record.ts";
import type { InjectionValues } from "../injected-containers.ts";
import { planAdditions, toPatch } from "../injector.ts";
import { applyJsonPatch } from "../json-patch.ts";
import type { ObjectMeta, PodTemplate } from "../kube-objects.ts";
import { podSecurityWarning } from "../pod-security.ts";
import { checkPod, obstacleOf } from "./check-pod.ts";
import { findObjects, podPlaceOf, unknownWorkload, valueAt, type PodPlace } from "./find-pods.ts";
import { ObjectPlaces, type ChangedFile, type ObjectReport, type ParsedFile, type ParsedText } from "./manifest-files.ts";
import { EDITED, injectIntoText, readEdited, UneditableText } from "./pod-text.ts";
import { applyEdits, type TextEdit } from "./text-edit.ts";
import { uninjectText } from "./uninject-text.ts";
import { writeOut } from "./write-out.ts";

export interface InjectSettings {
  readonly values: InjectionValues;
  /** Of objects that name none. */
  readonly namespace: string;
  readonly namespaces: ReadonlyMap<string, ObjectMeta>;
}

export function injectFile(file: ParsedFile, settings: InjectSettings): ChangedFile {
  const reports: ObjectReport[] = [];
  let others = 0;
  const texts = file.texts.map((parsed) => {
    const { text, document } = parsed;
    const objects = findObjects(document.value);
    const pods = objects.flatMap(({ object, path }) => podPlaceOf(object, path, settings.namespace) ?? []);
    const unknown = objects.flatMap(({ object, path }) => {
      const label = podPlaceOf(object, path, settings.namespace) === undefined ? unknownWorkload(object) : undefined;
      return label === undefined ? [] : [{ label, path }];
    });
    others += objects.length - pods.length - unknown.length;
    if (pods.length + unknown.length === 0) return text;
    const result = new DocumentInjection(text, document, pods, settings).run();
    const found = [
      ...result.reports.map((each, index) => ({ ...each, path: pods[index]!.objectPath })),
      ...unknown.map((each) => ({ ...each, ...UNKNOWN })),
    ].toSorted((a, b) => startOf(parsed, a.path) - startOf(parsed, b.path));
    const places = new ObjectPlaces(file.name, parsed);
    reports.push(...found.map(({ path, ...each }) => ({ ...each, place: places.placeOf(path) })));
    return result.text;
  });
  return { text: texts.join(""), reports, others };
}

const UNKNOWN = {
  outcome: "skipped",
  reason: "inject doesn't know this kind; only the webhook gives its pods sidecars",
  warnings: [],
  isProblem: false,
} as const;

function startOf({ document }: ParsedText, path: FieldPath): number {
  return nodeAt(document.root, path)?.start ?? 0;
}

interface Plan {
  readonly place: PodPlace;
  readonly pod: PodTemplate;
  readonly additions: Additions;
}

type Report = Omit<ObjectReport, "place" | "label">;

class DocumentInjection {
  #text: string;
  #document: SourceDocument;
  readonly #pods: readonly PodPlace[];
  readonly #settings: InjectSettings;
  readonly #reports = new Map<PodPlace, Report>();

  constructor(text: string, document: SourceDocument, pods: readonly PodPlace[], settings: InjectSettings) {
    this.#text = text;
    this.#document = document;
    this.#pods = pods;
    this.#settings = settings;
  }

  run(): { readonly text: string; readonly reports: readonly Omit<ObjectReport, "place">[] } {
    const original = this.#text;
    const stays = this.#takeOutOldInjection();
    const plans = this.#pods.flatMap((place) => (stays.has(place) ? [] : (this.#plan(place) ?? [])));
    try {
      const expected = this.#document.hasAliases ? undefined : expectedValue(this.#document.value, plans);
      if (this.#document.hasAliases) for (const plan of plans) this.#injectShared(plan);
      else this.#injectAll(plans);
      if (expected !== undefined) assertInjected(this.#document.value, expected, plans);
    } catch (error) {
      if (!(error instanceof UneditableText)) throw error;
      this.#text = original;
      for (const { place } of plans)
        this.#reports.set(place, {
          outcome: "refused",
          reason: `its text can't be edited (${error.message}): ${error.remedy}`,
          warnings: [],
          isProblem: true,
        });
    }
    const reports = this.#pods.map((place) => ({ label: place.label, ...this.#reports.get(place)! }));
    return { text: this.#text, reports };
  }

  /** Injecting again replaces what an earlier injection, perhaps by another version, did. @returns pods that stay as they are. */
  #takeOutOldInjection(): Set<PodPlace> {
    const stays = new Set<PodPlace>();
    const old = this.#pods.filter((place) => annotationsOf(valueAt(this.#document.value, place.path))[INJECTED_ANNOTATION] !== undefined);
    if (old.length === 0) return stays;
    const { text, document, pods } = uninjectText(this.#text, this.#document, old, false);
    this.#text = text;
    this.#document = document;
    for (const [place, { changed, problem }] of pods) {
      if (problem === undefined && changed.length === 0) continue;
      const reason = problem ?? `it is injected, and ${changed.join(", ")} was changed by hand: meshctl uninject takes out the rest`;
      this.#reports.set(place, { outcome: "skipped", reason, warnings: [], isProblem: true });
      stays.add(place);
    }
    return stays;
  }

  #plan(place: PodPlace): Plan | undefined {
    const { namespaces } = this.#settings;
    const checked = checkPod(valueAt(this.#document.value, place.path));
    if (!checked.ok) return this.#report(place, "refused", formatProblems(checked.problems), []);
    const { pod } = checked.value;
    const { namespace } = place.workload;
    const warnings = [
      ...checked.value.warnings,
      ...undecidedWords(pod.metadata),
      ...podSecurityWarning(namespace, namespaces.get(namespace)),
    ];
    if (pod.spec.hostNetwork === true)
      return this.#report(place, "skipped", "hostNetwork: true: capturing its traffic would capture the node's", [], true);
    const decision = decideInjection(pod, namespace, namespaces.get(namespace), "enabled");
    if (!decision.inject) return this.#report(place, "skipped", decision.reason, []);
    const obstacle = obstacleOf(pod);
    if (obstacle !== undefined) return this.#report(place, "skipped", obstacle.text, [], true);
    const additions = planAdditions(pod, place.workload, this.#settings.values);
    if (!additions.ok) return this.#report(place, "refused", formatProblems(additions.problems), []);
    this.#report(place, "injected", undefined, [...warnings, ...additions.value.warnings]);
    return { place, pod, additions: additions.value };
  }

  #report(
    place: PodPlace,
    outcome: Report["outcome"],
    reason: string | undefined,
    warnings: readonly string[],
    isProblem = false,
  ): undefined {
    this.#reports.set(place, {
      outcome,
      ...(reason === undefined ? {} : { reason }),
      warnings,
      isProblem: isProblem || warnings.length > 0,
    });
  }

  #injectAll(plans: readonly Plan[]): void {
    this.#apply(plans.flatMap((plan) => this.#editsFor(plan, [])));
  }

  /** One pod at a time: writing one out changes what others may refer to. */
  #injectShared(plan: Plan): void {
    const { path } = plan.place;
    const lists = new Set<string>(plan.additions.lists.map(({ field }) => field));
    const fields = EDITED.filter(([top, field]) => top === "metadata" || lists.has(field!));
    const values = Object.keys(plan.additions.labels).map((key) => ["metadata", "labels", key]);
    const handlers = (stays: boolean): (string | number)[][] =>
      plan.additions.handlers
        .filter(({ was }) => (was === "httpGet") === stays)
        .map((each) => toIndexes(plan.pod, [...each.path, each.was]) ?? []);
    const inDocument = (paths: readonly (readonly (string | number)[])[]): FieldPath[] => paths.map((each) => [...path, ...each]);
    const edited = inDocument([...fields, ...values, ...handlers(true)]);
    const written = writeOut(this.#text, this.#document, edited, inDocument(handlers(false)));
    const expected = expectedValue(this.#document.value, [plan]);
    this.#text = written.text;
    this.#document = written.document;
    this.#apply(this.#editsFor(plan, written.shared));
    assertInjected(this.#document.value, expected, [plan]);
  }

  #editsFor({ place, pod, additions }: Plan, shared: readonly (readonly [string, string])[]): TextEdit[] {
    const { parts } = recordOf(pod, additions);
    const value = valueAt(this.#document.value, place.path);
    return injectIntoText(this.#text, this.#document.root, place.path, value, additions, { version: VERSION, parts, shared });
  }

  #apply(edits: readonly TextEdit[]): void {
    if (edits.length === 0) return;
    this.#text = applyEdits(this.#text, edits);
    this.#document = readEdited(this.#text);
  }
}

function annotationsOf(pod: unknown): Readonly<Record<string, unknown>> {
  const annotations = valueAt(pod, ["metadata", "annotations"]);
  return typeof annotations === "object" && annotations !== null ? (annotations as Readonly<Record<string, unknown>>) : {};
}

/** What the document must say afterwards, but for the records. */
function expectedValue(value: unknown, plans: readonly Plan[]): unknown {
  let expected = value;
  for (const { place, additions } of plans) {
    const pod = valueAt(value, place.path) as PodTemplate;
    const injected = applyJsonPatch(pod, toPatch(pod, additions, { version: "", parts: {} }));
    expected = withValueAt(expected, place.path, injected);
  }
  return expected;
}

function withValueAt(value: unknown, path: readonly (string | number)[], replacement: unknown): unknown {
  const [step, ...rest] = path;
  if (step === undefined) return replacement;
  const copy: Record<string | number, unknown> = Array.isArray(value) ? ([...(value as unknown[])] as never) : { ...(value as object) };
  copy[step] = withValueAt(copy[step], rest, replacement);
  return copy;
}

/** Text is never written that says anything else than was meant. */
function assertInjected(actual: unknown, expected: unknown, plans: readonly Plan[]): void {
  let comparable = expected;
  for (const { place } of plans) {
    const at = [...place.path, "metadata", "annotations", INJECTED_ANNOTATION];
    const record = valueAt(actual, at);
    if (typeof record !== "string") throw new UneditableText("an anchor or a merge hides what was added");
    if (Buffer.byteLength(record) > RECORD_LIMIT_BYTES)
      throw new UneditableText(
        `what of it injection replaces or writes out does not fit into an annotation of ${RECORD_LIMIT_BYTES} bytes`,
        'annotate the pod sidecar.istio.io/rewriteAppHTTPProbers: "false" where it has many probes, or shorten its prometheus.io annotations',
      );
    comparable = withValueAt(comparable, at, record);
  }
  if (!isDeepStrictEqual(actual, comparable)) throw new UneditableText("the result would say something else");
}
