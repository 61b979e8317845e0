import assert from "node:assert/strict";
import { test } from "node:test";
import { dumpYaml, formatFieldPath, parseYamlDocuments } from "../../../src/common/yaml.ts";

function read(text: string): unknown {
  const { documents, problems } = parseYamlDocuments(text, "test.yaml");
  assert.deepEqual(problems, []);
  return documents[0]?.value;
}

// What kubectl (sigs.k8s.io/yaml over go-yaml v2) makes of each plain scalar.
const SCALARS: readonly (readonly [string, unknown])[] = [
  ["yes", true],
  ["On", true],
  ["no", false],
  ["OFF", false],
  ["true", true],
  ["False", false],
  ["~", null],
  ["null", null],
  ["", null],
  ["0644", 420],
  ["0o644", 420],
  ["0x1F", 31],
  ["0b101", 5],
  ["1_000", 1000],
  ["-5", -5],
  ["+7", 7],
  ["089", 89],
  ["1e3", 1000],
  ["1.50", 1.5],
  [".5", 0.5],
  [".inf", Infinity],
  ["2026-11-20", "2026-11-20"],
  ["2026-11-20T10:00:00Z", "2026-11-20T10:00:00Z"],
  ["1:30", "1:30"],
  ["1.2.3", "1.2.3"],
  ["v1", "v1"],
  ["'0644'", "0644"],
  ['"yes"', "yes"],
  ["_1", "_1"],
  ["10s", "10s"],
  ["0.0.0.0", "0.0.0.0"],
  ["-", [null]],
];

for (const [text, expected] of SCALARS) {
  test(`reads ${JSON.stringify(text)} as kubectl does`, () => {
    assert.deepEqual(read(`value: ${text === "-" ? "\n- " : text}`), { value: expected });
  });
}

test("merges keys of an anchored mapping", () => {
  assert.deepEqual(read("base: &b {a: 1, b: 2}\nuse:\n  <<: *b\n  b: 3\n"), { base: { a: 1, b: 2 }, use: { a: 1, b: 3 } });
});

test("keys are strings whatever they look like", () => {
  assert.deepEqual(read("8080: a\n"), { 8080: "a" });
});

test("reads JSON and several documents, with empty ones as null", () => {
  const { documents } = parseYamlDocuments('{"a": [1, {"b": "x"}]}\n---\n# nothing\n---\nb: 2\n', "x.yaml");
  assert.deepEqual(
    documents.map((each) => each.value),
    [{ a: [1, { b: "x" }] }, null, { b: 2 }],
  );
  assert.equal(documents[2]?.line, 5);
});

test("locates a field by its path, and what is missing at its nearest parent", () => {
  const text =
    "# top\napiVersion: v1\nspec:\n  http:\n  - route:\n    - weight: 90\n      destination: {host: a}\n    - weight:\n---\nname: x\n";
  const [first, second] = parseYamlDocuments(text, "x.yaml").documents;
  assert.deepEqual(first?.locate(["spec", "http", 0, "route", 0, "weight"]), { line: 6, column: 7 });
  assert.deepEqual(first?.locate(["spec", "http", 0, "route", 0, "destination", "host"]), { line: 7, column: 21 });
  assert.deepEqual(first?.locate(["spec", "http", 0, "route", 1, "weight"]), { line: 8, column: 7 });
  assert.deepEqual(first?.locate(["spec", "http", 0, "timeout"]), { line: 5, column: 5 });
  assert.deepEqual(first?.locate([]), { line: 2, column: 1 });
  assert.deepEqual(second?.locate(["name"]), { line: 10, column: 1 });
});

test("a syntax error is a problem with file, line and column", () => {
  const { documents, problems } = parseYamlDocuments("a: 1\nb: [1, 2\nc: 3\n", "bad.yaml");
  assert.equal(documents.length, 0);
  assert.equal(problems[0]?.file, "bad.yaml");
  assert.equal(problems[0]?.line, 3);
  assert.match(problems[0]?.message ?? "", /^not YAML: /);
});

test("a duplicate key is a problem at its second place", () => {
  const { problems } = parseYamlDocuments("a: 1\nb: 2\na: 3\n", "dup.yaml");
  assert.equal(problems[0]?.line, 3);
});

test("writes strings so that every YAML version reads them back as strings", () => {
  for (const text of [
    "yes",
    "n",
    "0644",
    "0o17",
    "089",
    "1e3",
    "1_0",
    "1:30",
    "2026-11-20",
    "null",
    "~",
    "",
    " x",
    "a: b",
    "# c",
    "=",
    "<<",
    "é\n",
  ]) {
    assert.deepEqual(read(dumpYaml({ [text]: text })), { [text]: text });
    if (/^(yes|n|0|1|2026|null|~)/.test(text)) assert.match(dumpYaml(text), /^['"]/);
  }
});

test("writes long lines unfolded and leaves undefined out", () => {
  const long = "word ".repeat(60).trim();
  assert.equal(dumpYaml({ long, gone: undefined }), `long: ${long}\n`);
});

test("formats a field path for people", () => {
  assert.equal(formatFieldPath(["spec", "http", 0, "match", "app.kubernetes.io/name"]), 'spec.http[0].match["app.kubernetes.io/name"]');
});
