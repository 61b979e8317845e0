// Values from files and from --set: what they become, and every problem with its place.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { resolveValues } from "../../../../src/manifests/install/profiles.ts";
import { readSetting, readValuesFile } from "../../../../src/manifests/install/read-values.ts";

describe("--set", () => {
  const cases: readonly (readonly [string, unknown])[] = [
    ["controller.replicas=2", { controller: { replicas: 2 } }],
    ["image=1.10", { image: "1.10" }],
    ["clusterId=a=b", { clusterId: "a=b" }],
    ["accessLog=", { accessLog: "" }],
    ["controller.antiAffinity=true", { controller: { antiAffinity: true } }],
    ["imagePullSecrets=[one, two]", { imagePullSecrets: ["one", "two"] }],
    ["controller.nodeSelector.kubernetes\\.io/os=linux", { controller: { nodeSelector: { "kubernetes.io/os": "linux" } } }],
    ["controller.resources.requests.cpu=2", { controller: { resources: { requests: { cpu: "2" } } } }],
  ];
  for (const [setting, layer] of cases) {
    test(`${setting} is understood`, () => assert.deepEqual(readSetting(setting), { layer, problems: [] }));
  }

  const mistakes: readonly (readonly [string, string])[] = [
    ["foo", "write path=value, such as controller.replicas=3"],
    ["=1", "write path=value, such as controller.replicas=3"],
    ["foo=1", "there is no such value"],
    ["replicas=1", "there is no such value; did you mean controller.replicas?"],
    ["loglevel=debug", "there is no such value; did you mean controller.logLevel?"],
    ["controller.replica=1", "there is no such value; did you mean controller.replicas?"],
    ["trustdomain=a", "there is no such value; did you mean trustDomain?"],
    ["controler={}", "there is no such value; did you mean controller?"],
    ["image.tag=1", "there is no such field"],
    ["controller.replicas=two", "must be a whole number"],
    ["controller.replicas=1.5", "must be a whole number"],
    ["controller.replicas=0", "must be 1 at least"],
    ["controller.replicas=[", '"[" is not YAML'],
    ["controller.antiAffinity=maybe", "must be true or false"],
    ["controller={a", '"{a" is not YAML'],
    ["controller=5", "must be a map"],
    ["profile=high", "must be one of default, ha, minimal"],
    ["namespace=My_Mesh", "must be the name of a namespace"],
    ["namespace=kube-system", "must be a namespace of the mesh's own"],
    ["namespace=default", "must be a namespace of the mesh's own"],
    ["image=a b", "must be the name of an image"],
    ["protocolDetectionTimeout=5", "must be a duration such as 5s"],
    ["controller.resources.requests.memory=256MB", "must be a quantity such as 100m or 256Mi"],
    ["controller.tolerations=[{key: a, efect: b}]", "[0].efect: there is no such field"],
  ];
  for (const [setting, message] of mistakes) {
    test(`${setting} is told: ${message}`, () => {
      const { problems } = readSetting(setting);
      assert.deepEqual(problems, [`--set ${setting}: ${message}`]);
    });
  }
});

describe("a file of values", () => {
  test("may be empty, or hold nothing but comments", () => {
    assert.deepEqual(readValuesFile("", "v.yaml"), { layer: {}, problems: [] });
    assert.deepEqual(readValuesFile("# nothing\n", "v.yaml"), { layer: {}, problems: [] });
  });

  test("is told all its problems, each with line, column and path", () => {
    const text = "controler: {}\nimage: 1.5\ncontroller:\n  replicas: two\n  resources:\n    requests: {cpu: [1], memory: 1}\n";
    assert.deepEqual(
      new Set(readValuesFile(text, "v.yaml").problems),
      new Set([
        "v.yaml:1:1: controler: there is no such value; did you mean controller?",
        "v.yaml:2:1: image: must be a text, in quotes where YAML reads something else",
        "v.yaml:4:3: controller.replicas: must be a whole number",
        "v.yaml:6:16: controller.resources.requests.cpu: must be a quantity",
      ]),
    );
  });

  test("is told where it is no YAML, no map or more than one document", () => {
    assert.deepEqual(readValuesFile("a: [\n", "v.yaml").problems, ["v.yaml:2:1: not YAML: deficient indentation"]);
    assert.deepEqual(readValuesFile("- a\n", "v.yaml").problems, ["v.yaml:1:1: must be a map of values"]);
    assert.deepEqual(readValuesFile("image: a\n---\nimage: b\n", "v.yaml").problems, ["v.yaml:3: a second document; values are one"]);
  });
});

describe("values of several places", () => {
  test("are the profile's, then the files', then those of --set, and only what was given is kept", () => {
    const { values, given } = resolveValues([
      { profile: "ha", controller: { resources: { requests: { cpu: "1" } } } },
      { controller: { replicas: 4, autoscaler: { enabled: false } } },
      { controller: { replicas: 5 } },
    ]);
    assert.deepEqual(values.controller.resources, { requests: { cpu: "1", memory: "512Mi" }, limits: { cpu: "", memory: "2Gi" } });
    assert.deepEqual([values.controller.replicas, values.controller.antiAffinity, values.trustDomain], [5, true, "cluster.local"]);
    assert.deepEqual(given, {
      controller: { autoscaler: { enabled: false }, replicas: 5, resources: { requests: { cpu: "1" } } },
      profile: "ha",
    });
  });

  test("are told what they contradict each other in", () => {
    const { problems } = resolveValues([
      { profile: "ha", controller: { minAvailable: 3, autoscaler: { maxReplicas: 2 }, resources: { limits: { memory: "256Mi" } } } },
    ]);
    assert.deepEqual(problems, [
      "controller.autoscaler.maxReplicas: 2 is less than minReplicas, 3",
      "controller.minAvailable: 3 of 3 replicas, so that no node could ever be drained",
      "controller.resources.limits.memory: 256Mi is less than is requested, 512Mi",
    ]);
  });
});
