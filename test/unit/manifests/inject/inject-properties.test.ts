// Whatever a manifest looks like: injecting twice is injecting once, uninject gives back every byte, or the same content
// where another program has printed it since, and what the person wrote says the same as before.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { dumpYaml } from "../../../../src/common/yaml.ts";
import { findObjects, isJson, podPlaceOf, valueAt } from "../../../../src/manifests/inject/find-pods.ts";
import { splitDocuments } from "../../../../src/manifests/inject/split-documents.ts";
import { injectionPatch } from "../../../../src/manifests/injector.ts";
import { applyJsonPatch } from "../../../../src/manifests/json-patch.ts";
import { injectText, parse, uninjectText } from "../../../support/inject/inject-text.ts";
import { SIZED_VALUES } from "../../../support/inject/injection-values.ts";
import { ManifestGenerator, SHARED } from "../../../support/inject/manifest-generator.ts";

const FILES = Number(process.env["FILES"] ?? 40);

/** Every value of `before` is in `after`, lists in their order, but for what injection may replace. */
function assertHolds(after: unknown, before: unknown, path: string): void {
  if (Array.isArray(before)) {
    assert.ok(Array.isArray(after), path);
    // Named members find each other; others keep their place.
    for (const [index, each] of before.entries()) {
      const name: unknown = isJson(each) ? each["name"] : undefined;
      const found: unknown = name === undefined ? after[index] : after.find((other) => isJson(other) && other["name"] === name);
      assertHolds(found, each, `${path}[${index}]`);
    }
    const names = (list: readonly unknown[]): unknown[] => list.map((each) => (isJson(each) ? each["name"] : undefined));
    assert.deepEqual(
      names(after).filter((each) => names(before).includes(each)),
      names(before),
      path,
    );
  } else if (isJson(before)) {
    assert.ok(isJson(after), path);
    for (const [key, value] of Object.entries(before)) if (!REPLACED.has(key)) assertHolds(after[key], value, `${path}.${key}`);
  } else if (before !== null) assert.equal(after, before, path);
}
const REPLACED: ReadonlySet<string> = new Set([
  "security.istio.io/tlsMode",
  ...["prometheus.io/port", "prometheus.io/path", "prometheus.io/scheme"],
  ...["httpGet", "tcpSocket", "grpc"],
]);

function check(text: string): void {
  for (const nativeSidecar of [true, false]) {
    const once = injectText(text, { nativeSidecar });
    assert.deepEqual(
      once.reports.filter((each) => each.outcome !== "injected"),
      [],
    );
    assert.equal(uninjectText(once.text).text, text);
    assert.equal(injectText(once.text, { nativeSidecar }).text, once.text);
    assert.equal(injectText(injectText(text, { nativeSidecar: !nativeSidecar }).text, { nativeSidecar }).text, once.text);
    const [before, after] = [parse(text), parse(once.text)];
    const [value] = after.texts.map(({ document }) => document.value);
    // As other programs print it: every alias written out, no comments, another style.
    for (const printed of nativeSidecar ? [dumpYaml(value), JSON.stringify(value, undefined, 2)] : [])
      assert.deepEqual(parse(uninjectText(printed).text).texts[0]!.document.value, before.texts[0]!.document.value);
    for (const [index, { document }] of before.texts.entries()) {
      assertHolds(after.texts[index]!.document.value, document.value, `document ${index}`);
      for (const { object, path } of findObjects(document.value)) {
        const place = podPlaceOf(object, path, "default");
        if (place === undefined) continue;
        const names = valueAt(after.texts[index]!.document.value, [...place.path, "spec", "initContainers"]) as { name: string }[];
        assert.ok(names.some((each) => each.name === "meshctl-init"));
      }
    }
  }
}

describe("injecting into text", () => {
  test(`is undone to the byte, and done again is the same, in ${FILES} generated files`, () => {
    const seed = Number(process.env["SEED"] ?? 0);
    for (let index = 0; index < FILES; index++) {
      const text = new ManifestGenerator(seed + index).file();
      try {
        check(text);
      } catch (error) {
        throw new Error(`seed ${seed + index}:\n${text}`, { cause: error });
      }
    }
  });

  for (const text of SHARED) {
    const name = /name: ([a-z-]+)/.exec(text)?.[1];
    for (const [how, form] of [
      ["", text],
      [" with CRLF", text.replaceAll("\n", "\r\n")],
      [" without a last line end", text.trimEnd()],
    ] as const)
      test(`gives this pod a copy of its own of what is shared, and takes it back: ${name}${how}`, () => check(form));
  }

  for (const [how, indent, between] of [
    ["line by line", undefined, "\n"],
    ["without anything between", undefined, ""],
    ["as jq prints them", 2, "\r\n\r\n"],
  ] as const)
    test(`injects into each of several objects of JSON ${how}`, () => {
      const pod = (name: string): object => ({
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name },
        spec: { containers: [{ name: '}"{' }] },
      });
      const text = ["a", "b", "c"].map((name) => JSON.stringify(pod(name), undefined, indent)).join(between);
      check(text);
      check(`\uFEFF${text}\n`);
      const line = (name: string): number => text.slice(0, text.search(new RegExp(`\\{\\s*"apiVersion[^}]*"${name}"`))).split("\n").length;
      assert.deepEqual(
        injectText(text).reports.map(({ place }) => place),
        ["a", "b", "c"].map((name) => `app.yaml:${line(name)}`),
      );
    });

  test("finds the objects of JSON behind a text of megabytes", () => {
    const texts = ["x".repeat(4_000_000), '"}{\\'.repeat(100_000)].map((value) => JSON.stringify({ value }));
    assert.deepEqual(
      splitDocuments(texts.join("")).map(({ text }) => text === texts[0] || text === texts[1]),
      [true, true],
    );
  });

  test("fills an empty value in the last line, where new fields go too", () => {
    check("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n    - name: web\n  volumes:");
  });

  test("makes the very pod that the injector makes of the object, as the local mesh runs it", () => {
    const pod = { metadata: { name: "web", labels: { app: "web" } }, spec: { containers: [{ name: "web" }] } };
    const text = dumpYaml({ apiVersion: "v1", kind: "Pod", ...pod });
    const patch = injectionPatch(pod, { namespace: "default", kind: "Pod", name: "web" }, SIZED_VALUES);
    assert.ok(patch.ok);
    const injected = parse(injectText(text).text).texts[0]!.document.value;
    assert.deepEqual(injected, { apiVersion: "v1", kind: "Pod", ...applyJsonPatch(pod, patch.value) });
  });
});
