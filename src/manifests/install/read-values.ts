// The values that a person gives, in files and with --set, as layers; every problem of all of them with its place.
import { z } from "zod";
import { closestWord } from "../../common/closest-word.ts";
import { formatFieldPath, parseYamlDocuments } from "../../common/yaml.ts";
import type { FieldPath } from "../../common/yaml.ts";
import { schemaAt, valuePaths, valuesLayer } from "./install-values.ts";
import type { ValuesLayer } from "./install-values.ts";

export interface ReadValues {
  readonly layer: ValuesLayer;
  /** Each begins with its place: `values.yaml:3:5` or `--set controller.replicas=x`. */
  readonly problems: readonly string[];
}

/** @param file name for problems. */
export function readValuesFile(text: string, file: string): ReadValues {
  const { documents, problems } = parseYamlDocuments(text, file);
  const [problem] = problems;
  if (problem !== undefined) return { layer: {}, problems: [`${file}:${problem.line}:${problem.column}: ${problem.message}`] };
  const [document, second] = documents;
  if (second !== undefined) return { layer: {}, problems: [`${file}:${second.line}: a second document; values are one`] };
  if (document === undefined || document.value === null) return { layer: {}, problems: [] };
  return validate(document.value, (path) => {
    const { line, column } = document.locate(path);
    return `${file}:${line}:${column}${path.length === 0 ? "" : `: ${formatFieldPath(path)}`}`;
  });
}

/** @param setting `controller.replicas=3`; lists and maps as YAML in one line; `\.` is a dot in a name. */
export function readSetting(setting: string): ReadValues {
  const place = `--set ${setting}`;
  const equals = setting.indexOf("=");
  if (equals <= 0) return { layer: {}, problems: [`${place}: write path=value, such as controller.replicas=3`] };
  const path = setting
    .slice(0, equals)
    .split(/(?<!\\)\./)
    .map((step) => step.replaceAll("\\.", "."));
  const schema = schemaAt(path);
  if (schema === undefined) return { layer: {}, problems: [`${place}: ${describeUnknown(path.join("."))}`] };
  const text = setting.slice(equals + 1);
  const value = toValue(text, schema);
  if (value === undefined) return { layer: {}, problems: [`${place}: ${JSON.stringify(text)} is not YAML`] };
  const layer = path.reduceRight<unknown>((inner, step) => ({ [step]: inner }), value);
  return validate(layer, (at) => {
    const inner = at.slice(path.length);
    return inner.length === 0 ? place : `${place}: ${formatFieldPath(inner)}`;
  });
}

/** What is a text by its schema stays as it stands: `image=1.10` is no number. */
function toValue(text: string, schema: z.core.$ZodType): unknown {
  if (schema instanceof z.ZodString || schema instanceof z.ZodEnum) return text;
  const { documents, problems } = parseYamlDocuments(text, "--set");
  return problems.length > 0 || documents.length !== 1 ? undefined : documents[0]?.value;
}

function validate(value: unknown, placeOf: (path: FieldPath) => string): ReadValues {
  const result = valuesLayer.safeParse(value);
  if (result.success) return { layer: result.data, problems: [] };
  const problems = result.error.issues.flatMap((issue) => {
    const path = issue.path.filter((each) => typeof each !== "symbol");
    if (issue.code !== "unrecognized_keys") return [`${placeOf(path)}: ${issue.message}`];
    return issue.keys.map((key) => `${placeOf([...path, key])}: ${describeUnknown([...path, key].join("."))}`);
  });
  return { layer: {}, problems };
}

function describeUnknown(path: string): string {
  const paths = valuePaths();
  if (paths.some((each) => path.startsWith(`${each}.`))) return "there is no such field";
  const last = path.slice(path.lastIndexOf(".") + 1);
  const guess =
    closestWord(path, [...paths, ...groupsOf(paths)]) ??
    paths.find((each) => each.endsWith(`.${last}`)) ??
    paths.find((each) => closestWord(last, [each.slice(each.lastIndexOf(".") + 1)]) !== undefined);
  return guess === undefined ? "there is no such value" : `there is no such value; did you mean ${guess}?`;
}

function groupsOf(paths: readonly string[]): string[] {
  return [...new Set(paths.flatMap((path) => path.split(".").map((_, index, steps) => steps.slice(0, index).join("."))))].filter(
    (each) => each !== "",
  );
}
