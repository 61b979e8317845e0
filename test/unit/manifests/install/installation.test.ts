// The objects of an installation. Each file of test/golden/install is one: its first line has the settings.
// UPDATE_GOLDEN=1 writes them anew; read the difference before committing it.
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { controller } from "../../../../src/commands/plane/controller.ts";
import { dumpYaml, parseYamlDocuments } from "../../../../src/common/yaml.ts";
import { controlPlaneObjects, installedCrds, toYaml } from "../../../../src/manifests/install/installation.ts";
import { INSTALLATION_LABEL } from "../../../../src/manifests/install/installation-label.ts";
import { resolveValues } from "../../../../src/manifests/install/profiles.ts";
import type { ResolvedValues } from "../../../../src/manifests/install/profiles.ts";
import { readSetting } from "../../../../src/manifests/install/read-values.ts";
import type { Deployment, KubeObject, PodSpec } from "../../../../src/manifests/kube-objects.ts";
import { WATCHED_KINDS } from "../../../../src/control-plane/sources/kubernetes-kinds.ts";
import { meshFromYaml } from "../../../support/mesh-from-yaml.ts";
import { MESH_KINDS } from "../../../../src/mesh-api/mesh-kinds.ts";

const GOLDEN = join(import.meta.dirname, "../../../golden/install");
const HEAD = "# meshctl install --skip-crds";

function valuesOf(...settings: readonly string[]): ResolvedValues {
  const read = settings.map(readSetting);
  assert.deepEqual(
    read.flatMap((each) => each.problems),
    [],
  );
  const resolved = resolveValues(read.map((each) => each.layer));
  assert.deepEqual(resolved.problems, []);
  return resolved;
}

/** Where no golden file depends on the version. */
const IMAGE = "image=meshctl:test";

describe("the control plane's objects", () => {
  for (const name of readdirSync(GOLDEN).filter((each) => each !== "crds.yaml")) {
    test(`are for ${name} what its golden file says`, () => {
      const path = join(GOLDEN, name);
      const golden = readFileSync(path, "utf8");
      const head = golden.slice(0, golden.indexOf("\n"));
      assert.ok(head.startsWith(HEAD), head);
      const settings = head
        .slice(HEAD.length)
        .split(" --set ")
        .map((each) => each.trim())
        .filter((each) => each !== "");
      const fresh = `${head}\n${toYaml(controlPlaneObjects(valuesOf(...settings)))}`;
      if (process.env.UPDATE_GOLDEN === "1") writeFileSync(path, fresh);
      assert.equal(fresh, readFileSync(path, "utf8"));
    });
  }

  const all = [valuesOf(IMAGE), valuesOf(IMAGE, "profile=ha"), valuesOf(IMAGE, "profile=minimal", "namespace=other")];

  test("hold a configuration of the mesh that the controller understands, whatever the values", () => {
    const values = ["accessLog=/dev/stdout", "pathNormalization=NONE", "protocolDetectionTimeout=0"];
    for (const resolved of [...all, valuesOf(...values)]) {
      const yaml = toYaml(controlPlaneObjects(resolved).filter((each) => each.kind === "ConfigMap"));
      const { accessLogPath, pathNormalization } = meshFromYaml(yaml, { rootNamespace: resolved.values.namespace }).settings;
      assert.deepEqual([accessLogPath ?? "", pathNormalization], [resolved.values.accessLog, resolved.values.pathNormalization]);
    }
  });

  test("carry the label of their installation, each of them", () => {
    for (const resolved of all) {
      for (const { metadata } of [...installedCrds(resolved), ...controlPlaneObjects(resolved)])
        assert.equal(metadata.labels?.[INSTALLATION_LABEL], resolved.values.namespace);
    }
  });

  test("come in an order that one apply can create, without a kind whose CRD is among them", () => {
    const before: Readonly<Record<string, string>> = { ClusterRoleBinding: "ClusterRole", Deployment: "ServiceAccount" };
    for (const resolved of all) {
      const objects = controlPlaneObjects(resolved);
      const kinds = objects.map((each) => each.kind);
      assert.equal(kinds[0], "Namespace");
      for (const [later, earlier] of Object.entries(before)) assert.ok(kinds.indexOf(earlier) < kinds.indexOf(later), later);
      assert.deepEqual(
        kinds.filter((each) => Object.hasOwn(MESH_KINDS, each)),
        [],
      );
      for (const { metadata } of objects) assert.ok(metadata.namespace === undefined || metadata.namespace === objects[0]?.metadata.name);
    }
  });

  test("keep to Pod Security's restricted profile, which their namespace enforces", () => {
    for (const resolved of all) {
      const { spec } = podOf(resolved);
      const pod = spec as PodSpec & { readonly securityContext: { readonly seccompProfile?: unknown; readonly runAsNonRoot?: boolean } };
      assert.deepEqual([pod.securityContext.seccompProfile, pod.securityContext.runAsNonRoot], [{ type: "RuntimeDefault" }, true]);
      for (const { securityContext } of [...(spec.initContainers ?? []), ...spec.containers]) {
        assert.equal(securityContext?.allowPrivilegeEscalation, false);
        assert.deepEqual(securityContext.capabilities, { drop: ["ALL"] });
        assert.equal(securityContext.readOnlyRootFilesystem, true);
      }
      for (const volume of spec.volumes ?? []) assert.equal(volume.hostPath, undefined);
    }
  });

  test("start the controller with flags that it has", () => {
    const known = new Map((controller.flags ?? []).map((each) => [/--[a-z-]+/.exec(each.flags)?.[0], each]));
    const args = podOf(valuesOf("accessLog=/dev/stdout")).spec.containers[0]?.args ?? [];
    assert.equal(args[0], "controller");
    for (const arg of args.slice(1)) {
      const [name = "", value] = arg.split(/=(.*)/s);
      const flag = known.get(name);
      assert.ok(flag !== undefined, arg);
      assert.equal(flag.flags.includes("<"), value !== undefined, arg);
      if (value === undefined) continue;
      flag.parse?.(value, undefined);
      assert.ok(flag.choices === undefined || flag.choices.includes(value), arg);
    }
  });

  interface Rules extends KubeObject {
    readonly rules: readonly {
      readonly apiGroups: readonly string[];
      readonly resources: readonly string[];
      readonly resourceNames?: readonly string[];
      readonly verbs: readonly string[];
    }[];
  }
  const rulesOf = (kind: string): Rules["rules"] =>
    (controlPlaneObjects(valuesOf()).find((each) => each.kind === kind) as Rules | undefined)?.rules ?? [];

  test("let the controller list and watch what it follows, in every namespace", () => {
    const allowed = rulesOf("ClusterRole")
      .filter(({ verbs }) => verbs.includes("list") && verbs.includes("watch"))
      .flatMap(({ apiGroups, resources }) => resources.map((each) => `${apiGroups.join()}/${each}`));
    for (const { group, plural } of WATCHED_KINDS) assert.ok(allowed.includes(`${group}/${plural}`), plural);
  });

  test("let the controller write only what is its own by name, statuses and events, and have tokens checked", () => {
    const writes = (kind: string): string[] =>
      rulesOf(kind).flatMap(({ resources, resourceNames = ["*"], verbs }) =>
        verbs
          .filter((each) => !["get", "list", "watch"].includes(each))
          .flatMap((verb) => resources.map((each) => `${verb} ${each} ${resourceNames.join()}`)),
      );
    assert.deepEqual(writes("ClusterRole").sort(), [
      "create configmaps *",
      "create events *",
      "create tokenreviews *",
      "patch destinationrules/status *",
      "patch events *",
      "patch mutatingwebhookconfigurations meshctl-sidecar-injector",
      "patch peerauthentications/status *",
      "patch validatingwebhookconfigurations meshctl-validator",
      "patch virtualservices/status *",
      "update configmaps meshctl-root-cert",
    ]);
    assert.deepEqual(writes("Role").sort(), ["create leases *", "create secrets *", "update leases meshctl-controller"]);
    const secrets = [...rulesOf("ClusterRole"), ...rulesOf("Role")].filter((each) => each.resources.includes("secrets"));
    assert.deepEqual(
      secrets.map(({ verbs, resourceNames }) => `${verbs.join()} ${resourceNames?.join() ?? "*"}`),
      ["create *", "get meshctl-ca"],
    );
  });

  test("hold no key, certificate or Secret", () => {
    for (const resolved of all) {
      const text = toYaml([...installedCrds(resolved), ...controlPlaneObjects(resolved)]);
      assert.doesNotMatch(text, /BEGIN |kind: Secret|caBundle/);
    }
  });

  test("are the same bytes for the same values, in whatever order they were given", () => {
    const some = ["controller.replicas=2", "trustDomain=example.org", "controller.nodeSelector={two: x, one: z}"];
    const text = (...settings: readonly string[]): string => toYaml(controlPlaneObjects(valuesOf(...settings)));
    const swapped = text(
      "controller.nodeSelector.one=z",
      "trustDomain=example.org",
      "controller.nodeSelector.two=x",
      "controller.replicas=2",
    );
    assert.equal(swapped, text(...some));
  });

  test("have amounts in the API server's spelling, so that a second apply changes nothing", () => {
    const { resources } = podOf(
      valuesOf("controller.resources={requests: {cpu: 0.5, memory: 1024Mi}, limits: {cpu: 1000m, memory: 3072Mi}}"),
    ).spec.containers[0] as { readonly resources: unknown };
    assert.deepEqual(resources, { requests: { cpu: "500m", memory: "1Gi" }, limits: { cpu: "1", memory: "3Gi" } });
  });

  test("are read back as they are printed", () => {
    const objects = controlPlaneObjects(valuesOf("profile=ha"));
    const { documents, problems } = parseYamlDocuments(toYaml(objects), "install.yaml");
    assert.deepEqual(problems, []);
    assert.deepEqual(
      documents.map((each) => each.value),
      JSON.parse(JSON.stringify(objects)),
    );
  });
});

function podOf(resolved: ResolvedValues): Deployment["spec"]["template"] {
  const deployment = controlPlaneObjects(resolved).find((each) => each.kind === "Deployment") as Deployment;
  return deployment.spec.template;
}

describe("the CRDs of an installation", () => {
  const crds = installedCrds(valuesOf());

  test("have one schema for all their versions", () => {
    for (const { spec } of crds) for (const { schema } of spec.versions) assert.deepEqual(schema, spec.versions[0]?.schema);
  });

  test("are what the golden file says", () => {
    const path = join(GOLDEN, "crds.yaml");
    // The first version's schema stands for all.
    const short = crds.map(({ spec, ...rest }) => ({
      ...rest,
      spec: { ...spec, versions: spec.versions.map(({ schema, ...each }, index) => ({ ...each, ...(index === 0 ? { schema } : {}) })) },
    }));
    const fresh = short.map((each) => `---\n${dumpYaml(each)}`).join("");
    if (process.env.UPDATE_GOLDEN === "1") writeFileSync(path, fresh);
    assert.equal(fresh, readFileSync(path, "utf8"));
  });
});
