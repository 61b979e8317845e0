// Sets of managed fields: added, subtracted, taken out of an object.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { differenceOf, unionOf, withoutFields } from "../../../src/kube/field-set.ts";
import type { FieldSet } from "../../../src/kube/field-set.ts";

const ALL: FieldSet = {};

describe("a set of fields", () => {
  test("and another have all that either has", () => {
    const one = { "f:spec": { "f:replicas": ALL, "f:template": { "f:args": ALL } } };
    const other = { "f:spec": { "f:paused": ALL, "f:template": { "f:image": ALL } }, "f:data": ALL };
    assert.deepEqual(unionOf([one, other]), {
      "f:spec": { "f:replicas": ALL, "f:paused": ALL, "f:template": { "f:args": ALL, "f:image": ALL } },
      "f:data": ALL,
    });
  });

  test("without another keeps what the other lacks", () => {
    const one = { "f:spec": { "f:replicas": ALL, "f:selector": { "f:a": ALL, "f:b": ALL } }, "f:data": { "f:x": ALL } };
    assert.deepEqual(differenceOf(one, { "f:spec": { "f:replicas": ALL, "f:selector": { "f:a": ALL } } }), {
      "f:spec": { "f:selector": { "f:b": ALL } },
      "f:data": { "f:x": ALL },
    });
  });

  test("without one that has the whole of a field has nothing of that field", () => {
    assert.deepEqual(differenceOf({ "f:spec": { "f:a": ALL } }, { "f:spec": ALL }), {});
    assert.deepEqual(differenceOf({ "f:spec": ALL }, { "f:spec": { "f:a": ALL } }), {});
  });
});

describe("taking fields out", () => {
  const object = {
    metadata: { labels: { a: "1", b: "2" }, finalizers: ["x", "y"] },
    spec: {
      containers: [
        { name: "one", image: "i", env: [{ name: "A", value: "1" }] },
        { name: "two", image: "i" },
      ],
      ports: [{ port: 80, protocol: "TCP" }],
    },
  };

  test("removes members of maps, items by their keys, and values of sets", () => {
    const set: FieldSet = {
      "f:metadata": { "f:labels": { "f:b": ALL }, "f:finalizers": { 'v:"x"': ALL } },
      "f:spec": {
        "f:containers": { 'k:{"name":"one"}': { "f:env": { 'k:{"name":"A"}': { ".": ALL, "f:name": ALL, "f:value": ALL } } } },
        "f:ports": { 'k:{"port":80,"protocol":"TCP"}': { "f:port": ALL } },
      },
    };
    assert.deepEqual(withoutFields(object, set), {
      metadata: { labels: { a: "1" }, finalizers: ["y"] },
      spec: {
        containers: [
          { name: "one", image: "i", env: [] },
          { name: "two", image: "i" },
        ],
        ports: [{ protocol: "TCP" }],
      },
    });
  });

  test("that aren't there changes nothing", () =>
    assert.deepEqual(withoutFields(object, { "f:status": ALL, "f:spec": { "f:containers": { 'k:{"name":"three"}': ALL } } }), object));
});
