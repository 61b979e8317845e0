import assert from "node:assert/strict";
import { test } from "node:test";
import { buildEnvironment, expandReferences, readPodField, type PodFacts } from "../../../src/local/pod/pod-environment.ts";

const facts: PodFacts = {
  metadata: { name: "web-1", namespace: "shop", uid: "u-1", labels: { app: "web", version: 'v"1' }, annotations: { note: "a" } },
  spec: { serviceAccountName: "web", containers: [] },
  ips: ["10.244.0.3", "fd00:10:244::3"],
  nodeName: "local",
  hostIp: "10.244.0.1",
};

test("answers the downward API's fields as Kubernetes writes them", () => {
  assert.equal(readPodField(facts, "metadata.labels"), 'app="web"\nversion="v\\"1"');
  assert.equal(readPodField(facts, "metadata.labels['app']"), "web");
  assert.equal(readPodField(facts, "metadata.annotations['missing']"), "");
  assert.equal(readPodField(facts, "status.podIPs"), "10.244.0.3,fd00:10:244::3");
  assert.equal(readPodField(facts, "spec.serviceAccountName"), "web");
  assert.equal(readPodField(facts, "status.nothing"), undefined);
});

test("expands references to variables, keeps unknown ones and unescapes $$", () => {
  assert.equal(expandReferences("$(A)-$(B)-$$(A)-$A-$", { A: "1" }), "1-$(B)-$(A)-$A-$");
});

test("puts ConfigMaps, fields and earlier variables together, the container's own winning", () => {
  const map = { apiVersion: "v1", kind: "ConfigMap", metadata: {}, data: { COLOUR: "red", SIZE: "1" } };
  const { values, problems } = buildEnvironment(
    {
      name: "web",
      envFrom: [{ prefix: "C_", configMapRef: { name: "c" } }],
      env: [
        { name: "C_SIZE", value: "2" },
        { name: "IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } },
        { name: "URL", value: "http://$(IP):$(C_SIZE)" },
        { name: "COLOUR", valueFrom: { configMapKeyRef: { name: "c", key: "COLOUR" } } },
      ],
    },
    facts,
    (name) => (name === "c" ? map : undefined),
  );
  assert.deepEqual(problems, []);
  assert.deepEqual(values, {
    HOSTNAME: "web-1",
    HOME: "/tmp",
    C_COLOUR: "red",
    C_SIZE: "2",
    IP: "10.244.0.3",
    URL: "http://10.244.0.3:2",
    COLOUR: "red",
  });
});

test("names what is missing, unless it is optional", () => {
  const { problems } = buildEnvironment(
    {
      name: "web",
      envFrom: [{ configMapRef: { name: "gone" } }, { configMapRef: { name: "gone", optional: true } }],
      env: [
        { name: "A", valueFrom: { configMapKeyRef: { name: "gone", key: "a" } } },
        { name: "B", valueFrom: { secretKeyRef: { name: "s", key: "b" } } },
      ],
    },
    facts,
    () => undefined,
  );
  assert.deepEqual(problems, [
    "ConfigMap gone not found",
    "env A: ConfigMap gone has no key a",
    "env B: this source of a value is not supported in a local mesh",
  ]);
});
