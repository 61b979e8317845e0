// Injects into a text, without a command line.
import assert from "node:assert/strict";
import type { InjectionValues } from "../../../src/manifests/injected-containers.ts";
import { injectFile } from "../../../src/manifests/inject/inject-file.ts";
import { namespacesOf, parseFile, type ChangedFile, type ParsedFile } from "../../../src/manifests/inject/manifest-files.ts";
import { uninjectFile } from "../../../src/manifests/inject/uninject-file.ts";
import { SIZED_VALUES } from "./injection-values.ts";

export function parse(text: string): ParsedFile {
  const file = parseFile("app.yaml", text);
  assert.ok("texts" in file, JSON.stringify(file));
  return file;
}

export function injectText(text: string, values: Partial<InjectionValues> = {}): ChangedFile {
  const file = parse(text);
  return injectFile(file, { values: { ...SIZED_VALUES, ...values }, namespace: "default", namespaces: namespacesOf([file]) });
}

export function uninjectText(text: string): ChangedFile {
  return uninjectFile(parse(text));
}
