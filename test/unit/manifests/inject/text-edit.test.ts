import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { nodeAt, readSourceTree } from "../../../../src/common/yaml-tree.ts";
import { splitDocuments } from "../../../../src/manifests/inject/split-documents.ts";
import { applyEdits, CollectionEditor } from "../../../../src/manifests/inject/text-edit.ts";

type Path = readonly (string | number)[];

function editor(text: string, path: Path): CollectionEditor {
  return new CollectionEditor(text, nodeAt(readSourceTree(text).root, path)!, path.length);
}

describe("the tree of a document", () => {
  const sourceOf = (text: string, path: Path): string => {
    const node = nodeAt(readSourceTree(text).root, path)!;
    return text.slice(node.start, node.end);
  };
  for (const [what, text, path, source] of [
    ["a plain word", "a: b # c\n", ["a"], "b"],
    ["quotes", "a: 'b''s'\n", ["a"], "'b''s'"],
    ["a word over lines", "a: b\n  c\nd: 1", ["a"], "b\n  c"],
    ["a block scalar with its head and blank lines", "a: |+\n  b\n\n\nc: 1\n", ["a"], "|+\n  b\n\n"],
    ["a block scalar behind an anchor, whose comment has a bar", "a: &x >- # a|b\n  b\nc: 1\n", ["a"], ">- # a|b\n  b"],
    ["a flow map with trailing comma and comment", "a: {b: 1, # }\n  }\nc: 2\n", ["a"], "{b: 1, # }\n  }"],
    ["an empty flow list", "a: [ ] # c\n", ["a"], "[ ]"],
    ["a block map, up to its last value", "a:\n  b: 1\n  c: [2]\n# end\n", ["a"], "b: 1\n  c: [2]"],
    ["an alias", "a: &x 1\nb: *x # c\n", ["b"], "*x"],
    ["nothing, behind the colon", "a:\n  b:   # c\n", ["a", "b"], ""],
    ["an item behind a tag", "- !!str 1\n- 2", [0], "1"],
    ["a value behind a byte order mark", "\uFEFFa: b\n", ["a"], "b"],
    ["JSON with tabs", '{\n\t"a": [\n\t\t{"b": 1}\n\t]\n}\n', ["a", 0], '{"b": 1}'],
  ] as const) {
    test(`finds ${what}`, () => assert.equal(sourceOf(text, path), source));
  }
});

describe("edits of text", () => {
  for (const [what, before, path, after] of [
    ["behind the last entry and its comment", "a:\n  b: 1 # c\n# d\ne: 2\n", ["a"], "a:\n  b: 1 # c\n  x: z\n# d\ne: 2\n"],
    ["where the last line has no end", "a:\n  b: 1", ["a"], "a:\n  b: 1\n  x: z"],
    ["with the line ends of the file", "a:\r\n  b: 1\r\n", ["a"], "a:\r\n  b: 1\r\n  x: z\r\n"],
    ["behind a kept block scalar", "a:\n  b: |+\n    c\n\nd: 1\n", ["a"], "a:\n  b: |+\n    c\n\n  x: z\nd: 1\n"],
    ["into a map in a list", "- a: 1\n  b: 2\n- c\n", [0], "- a: 1\n  b: 2\n  x: z\n- c\n"],
    ["into a flow map", "a: {b: 1, } # c\n", ["a"], 'a: {b: 1, "x": "z", } # c\n'],
    ["into an empty one", "a: {}\n", ["a"], 'a: {"x": "z"}\n'],
    ["into JSON in lines", '{\n  "a": {\n    "b": 1\n  }\n}\n', ["a"], '{\n  "a": {\n    "b": 1,\n    "x": "z"\n  }\n}\n'],
    ["into JSON with tabs", '{\n\t"b": {}\n}', [], '{\n\t"b": {},\n\t"x": "z"\n}'],
  ] as const) {
    test(`put an entry ${what}, and take it out again`, () => {
      const edited = applyEdits(before, editor(before, path).appendEntries({ x: "z" }));
      assert.equal(edited, after);
      const map = nodeAt(readSourceTree(edited).root, path)!;
      const index = map.children.findIndex((each) => each.key === "x");
      assert.equal(applyEdits(edited, editor(edited, path).removeChildren([index])), before);
    });
  }

  for (const [what, before, front, after] of [
    ["in front of a list and the comment over its first item", "a:\n  # b\n  - c\n", true, "a:\n  - x: 1\n  - x: 2\n  # b\n  - c\n"],
    ["behind a list at its key's column", "a:\n- c\nd: 1\n", false, "a:\n- c\n- x: 1\n- x: 2\nd: 1\n"],
    ["in front of a flow list", "a: [c]\n", true, 'a: [{"x":1}, {"x":2}, c]\n'],
    ["behind a flow list", "a: [c ]\n", false, 'a: [c, {"x":1}, {"x":2} ]\n'],
    ["into an empty flow list", "a: [ ]\n", true, 'a: [{"x":1}, {"x":2} ]\n'],
    ["behind an empty flow list", "a: []\n", false, 'a: [{"x":1}, {"x":2}]\n'],
    [
      "in front of a JSON list in lines",
      '{"a": [\n   3\n]}',
      true,
      '{"a": [\n   {\n      "x": 1\n   },\n   {\n      "x": 2\n   },\n   3\n]}',
    ],
  ] as const) {
    test(`put items ${what}, and take them out again`, () => {
      const edited = applyEdits(before, editor(before, ["a"]).insertItems([{ x: 1 }, { x: 2 }], front));
      assert.equal(edited, after);
      const list = readSourceTree(edited).value as { a: unknown[] };
      const gone = list.a.flatMap((each, index) => (typeof each === "object" ? [index] : []));
      assert.equal(applyEdits(edited, editor(edited, ["a"]).removeChildren(gone)), before);
    });
  }

  test("take out what the person has indented anew, with a dash on a line of its own", () => {
    const text = "a:\n    -\n      x: 1\n    - b\n";
    assert.equal(applyEdits(text, editor(text, ["a"]).removeChildren([0])), "a:\n    - b\n");
  });
});

describe("the documents of a file", () => {
  for (const [what, file, texts] of [
    ["cut at each ---", "a: 1\n---\nb: 2\n", ["a: 1\n", "---\nb: 2\n"]],
    ["kept together with what introduces them", "# c\n---\na: 1\n", ["# c\n---\na: 1\n"]],
    ["cut behind ..., with directives for the next", "a: 1\n...\n%YAML 1.2\n---\nb: 2", ["a: 1\n...\n", "%YAML 1.2\n---\nb: 2"]],
    ["cut inside a block scalar, as YAML has it", "a: |\n  b\n--- |\n  c\n", ["a: |\n  b\n", "--- |\n  c\n"]],
    ["not cut at dashes that mean something else", "a: b\n--- x\n----: 1\n", ["a: b\n", "--- x\n----: 1\n"]],
    ["none in an empty file", "", []],
    ["one in a file of comments", "# a\n\n", ["# a\n\n"]],
    ["cut with CRLF", "a: 1\r\n---\r\nb: 2\r\n", ["a: 1\r\n", "---\r\nb: 2\r\n"]],
  ] as const) {
    test(`are ${what}`, () => {
      const found = splitDocuments(file);
      assert.deepEqual(
        found.map((each) => each.text),
        texts,
      );
      for (const { text, line } of found)
        assert.equal(
          file
            .split("\n")
            .slice(line - 1)
            .join("\n")
            .startsWith(text),
          true,
        );
    });
  }
});
