import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Ingest } from "../../../../src/control-plane/ingest/ingest.ts";
import { parseFile } from "../../../../src/control-plane/ingest/parse-file.ts";
import { formatConfigProblem } from "../../../../src/control-plane/ingest/raw-object.ts";
import { Registry } from "../../../../src/control-plane/registry/registry.ts";
import { TEST_SETTINGS } from "../../../support/mesh-from-yaml.ts";

function service(name: string, address: string, port: number | string = 80): string {
  return `apiVersion: v1\nkind: Service\nmetadata: { name: ${name} }\nspec: { clusterIP: ${address}, ports: [{ name: http, port: ${port} }] }\n---\n`;
}

class World {
  readonly reported: string[] = [];
  readonly solved: string[] = [];
  readonly registry = new Registry(TEST_SETTINGS);
  readonly ingest = new Ingest(this.registry, {
    onProblem: (problem) => this.reported.push(formatConfigProblem(problem)),
    onSolved: (problem) => this.solved.push(formatConfigProblem(problem)),
  });

  save(file: string, text: string, source = 0): void {
    this.ingest.apply(source, [{ part: file, ...parseFile(text, file) }]);
  }

  addresses(): Record<string, string> {
    return Object.fromEntries([...this.registry.snapshot().services.values()].map((each) => [each.name, each.addresses[0] ?? ""]));
  }
}

describe("ingest", () => {
  test("keeps everything of a file that stops being YAML, and says so once", () => {
    const world = new World();
    world.save("a.yaml", service("a", "10.0.0.1") + service("b", "10.0.0.2"));
    world.save("a.yaml", "{");
    world.save("a.yaml", "{");
    world.save("b.yaml", service("c", "10.0.0.3"));
    assert.deepEqual(world.addresses(), { a: "10.0.0.1", b: "10.0.0.2", c: "10.0.0.3" });
    assert.equal(world.reported.length, 1);
    world.save("a.yaml", service("a", "10.0.0.9"));
    assert.deepEqual(world.addresses(), { a: "10.0.0.9", c: "10.0.0.3" });
    assert.equal(world.solved.length, 1);
  });

  test("keeps the last good version of one object while the others of its file change", () => {
    const world = new World();
    world.save("a.yaml", service("a", "10.0.0.1") + service("b", "10.0.0.2"));
    world.save("a.yaml", service("a", "10.0.0.7", 0) + service("b", "10.0.0.8"));
    assert.deepEqual(world.addresses(), { a: "10.0.0.1", b: "10.0.0.8" });
    world.save("a.yaml", service("b", "10.0.0.8"));
    assert.deepEqual(world.addresses(), { b: "10.0.0.8" });
    assert.equal(world.ingest.problems().length, 0);
  });

  test("refuses an object that another file of the source defines, until that file gives it up", () => {
    const world = new World();
    world.save("a.yaml", service("a", "10.0.0.1"));
    world.save("b.yaml", service("a", "10.0.0.2"));
    assert.deepEqual(world.addresses(), { a: "10.0.0.1" });
    assert.match(world.reported[0]!, /^b\.yaml:3:\d+: Service default\/a: metadata\.name: is already defined in a\.yaml$/);
    world.save("a.yaml", "");
    assert.deepEqual(world.addresses(), { a: "10.0.0.2" });
    assert.equal(world.ingest.problems().length, 0);
  });

  test("lets a later source replace an object without a word, and brings the earlier one back", () => {
    const world = new World();
    world.save("run.yaml", service("a", "10.96.0.1"), 1);
    world.save("user.yaml", service("a", "1.1.1.1"), 0);
    assert.deepEqual(world.addresses(), { a: "10.96.0.1" });
    world.save("run.yaml", "", 1);
    assert.deepEqual(world.addresses(), { a: "1.1.1.1" });
    assert.deepEqual(world.reported, []);
  });
});
