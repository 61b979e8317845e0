// `meshctl uninject` on one file.
import { valueAt, findObjects, podPlaceOf, type PodPlace } from "./find-pods.ts";
import { ObjectPlaces, type ChangedFile, type ObjectReport, type ParsedFile } from "./manifest-files.ts";
import { INJECTED_ANNOTATION } from "../injection-record.ts";
import { uninjectText, type Uninjected } from "./uninject-text.ts";

export function uninjectFile(file: ParsedFile): ChangedFile {
  const reports: ObjectReport[] = [];
  let others = 0;
  const texts = file.texts.map((parsed) => {
    const { text, document } = parsed;
    const objects = findObjects(document.value);
    const places = objects.flatMap(({ object, path }) => podPlaceOf(object, path, "default") ?? []);
    others += objects.length - places.length;
    const isInjected = (place: PodPlace): boolean =>
      valueAt(document.value, [...place.path, "metadata", "annotations", INJECTED_ANNOTATION]) !== undefined;
    const result = places.some(isInjected) ? uninjectText(text, document, places, true) : undefined;
    const lines = new ObjectPlaces(file.name, parsed);
    for (const place of places) reports.push(reportOf(place, lines.placeOf(place.objectPath), result?.pods.get(place)));
    return result?.text ?? text;
  });
  return { text: texts.join(""), reports, others };
}

type Outcome = Uninjected["pods"] extends ReadonlyMap<PodPlace, infer T> ? T : never;

function reportOf({ label }: PodPlace, place: string, outcome: Outcome | undefined): ObjectReport {
  if (outcome === undefined) return { label, place, outcome: "skipped", reason: "it is not injected", warnings: [], isProblem: false };
  if (outcome.problem !== undefined) return { label, place, outcome: "skipped", reason: outcome.problem, warnings: [], isProblem: true };
  const warnings = outcome.changed.map((part) => `${part} was changed by hand and stays`);
  return { label, place, outcome: "uninjected", warnings, isProblem: warnings.length > 0 };
}
