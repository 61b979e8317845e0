// What `meshctl inject` prints, given to a real API server: nothing in it is unknown, and uninject finds its way back from
// what the server makes of it.
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { parseYamlDocuments } from "../../src/common/yaml.ts";
import type { KubeObjects } from "../../src/kube/objects.ts";
import type { KubeObject } from "../../src/kube/resource-kind.ts";
import { REAL, SKIPPED } from "../support/kubernetes/assets.ts";
import { applyInstallation } from "../support/kubernetes/installation.ts";
import { playNamespace, playServiceAccount } from "../support/kubernetes/played-controllers.ts";
import { RealCluster } from "../support/kubernetes/real-cluster.ts";
import { runMeshctl } from "../support/run-meshctl.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const WORKLOADS = readFileSync(join(ROOT, "test/golden/kubernetes/workloads.yaml"), "utf8");
const KINDS = "deployments,statefulsets,daemonsets,replicasets,replicationcontrollers,jobs,cronjobs";

describe("meshctl inject on a real API server", () => {
  let cluster: RealCluster;
  let objects: KubeObjects;
  before(async () => {
    if (SKIPPED !== undefined) return;
    cluster = await RealCluster.start();
    objects = cluster.objects();
    for (const namespace of ["native", "plain", "unmeshed", "again", "shop"]) await playNamespace(objects, namespace);
    await applyInstallation(cluster, "--crds");
  });
  after(async () => cluster?.stop());

  async function inject(input: string, ...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await runMeshctl(["inject", "--strict", ...args, "-"], { input });
    assert.equal(code, 0, stderr);
    return stdout;
  }
  /** Strictly, and without a word of warning. */
  async function apply(yaml: string, namespace: string, ...args: readonly string[]): Promise<number> {
    const { code, stdout, stderr } = await cluster.kubectl(["apply", "--validate=strict", "-n", namespace, ...args, "-f", "-"], yaml);
    assert.deepEqual([code, stderr], [0, ""]);
    return stdout.trimEnd().split("\n").length;
  }
  const read = async (namespace: string): Promise<string> => (await cluster.kubectl(["get", KINDS, "-n", namespace, "-o", "yaml"])).stdout;

  for (const [namespace, args] of [
    ["native", []],
    ["plain", ["--plain-sidecar"]],
  ] as const) {
    test(`is taken strictly in every kind of workload, with the ${namespace} sidecar`, REAL, async () => {
      assert.equal(await apply(await inject(WORKLOADS, "-n", namespace, ...args), namespace), 8);
    });

    test(`uninject finds back from what kubectl get prints of the ${namespace} sidecar`, REAL, async () => {
      await apply(WORKLOADS, "unmeshed");
      const { code, stdout, stderr } = await runMeshctl(["uninject", "-"], { input: await read(namespace) });
      assert.equal(code, 0, stderr);
      assert.match(stderr, /\n7 uninjected, 0 skipped, 0 without pods left as they are\n$/);
      assert.deepEqual(contents(stdout), contents(await read("unmeshed")));
    });
  }

  for (const file of globSync("samples/shop/*.yaml", { cwd: ROOT }).sort()) {
    test(`is taken strictly for ${file}`, REAL, async () => {
      const injected = await inject(readFileSync(join(ROOT, file), "utf8"));
      // Its namespace comes with it, and what is in it can only come after.
      for (const document of injected.split(/^---$/m))
        if (!document.includes("kind: Namespace")) await apply(document, "shop", "--dry-run=server");
    });
  }

  test("makes pods that every part of the API server's own admission takes", REAL, async () => {
    const injected = parseYamlDocuments(await inject(WORKLOADS, "-n", "again"), "injected").documents[0]?.value as Template;
    await playServiceAccount(objects, "again", "web");
    const { metadata, spec } = injected.spec.template;
    const pod = { apiVersion: "v1", kind: "Pod", metadata: { ...metadata, name: "web-1", namespace: "again" }, spec };
    const made = (await objects.create(pod, { fieldValidation: "Strict" })) as unknown as { spec: { initContainers: Container[] } };
    assert.deepEqual(
      made.spec.initContainers.map((each) => [each.name, each.restartPolicy]),
      [
        ["meshctl-init", undefined],
        ["meshctl-proxy", "Always"],
        ["migrate", undefined],
      ],
    );
    const live = (await cluster.kubectl(["get", "pod", "web-1", "-n", "again", "-o", "yaml"])).stdout;
    assert.match(live, /name: meshctl-proxy/);
    const { code, stdout, stderr } = await runMeshctl(["uninject", "-"], { input: live });
    assert.equal(code, 0, stderr);
    assert.doesNotMatch(stdout, /meshctl/);
  });

  test("needs a namespace whose Pod Security takes what captures the traffic", REAL, async () => {
    const [bare] = (parseYamlDocuments(await inject(WORKLOADS), "injected").documents.at(-1)?.value as { items: Pod[] }).items;
    const into = async (level: string): Promise<unknown> => {
      await playNamespace(objects, level, { "pod-security.kubernetes.io/enforce": level });
      return objects.create({ ...bare!, metadata: { ...bare!.metadata, namespace: level } }, { dryRun: true });
    };
    await into("privileged");
    await assert.rejects(into("baseline"), /violates PodSecurity "baseline:latest": non-default capabilities \(container "meshctl-init"/);
  });
});

type Pod = Parameters<KubeObjects["create"]>[0];

interface Container {
  readonly name: string;
  readonly restartPolicy?: string;
}

interface Template {
  readonly spec: { readonly template: { readonly metadata: object; readonly spec: object } };
}

/** Of `kubectl get -o yaml`, without what two objects of the same content differ in. */
function contents(list: string): unknown {
  const { items } = parseYamlDocuments(list, "list").documents[0]?.value as { items: KubeObject[] };
  const uids = items.map((each) => String(each.metadata["uid"]));
  return items.map((item) => {
    const own = new Set(["namespace", "uid", "resourceVersion", "creationTimestamp", "annotations"]);
    // The server copies the template's labels to these as they are made, and nobody knows later whose they are.
    if (["Job", "ReplicationController"].includes(item.kind)) own.add("labels");
    const metadata = Object.fromEntries(Object.entries(item.metadata).filter(([name]) => !own.has(name)));
    const annotations = { ...(item.metadata as { annotations?: Record<string, string> }).annotations };
    delete annotations["kubectl.kubernetes.io/last-applied-configuration"];
    const whole = JSON.stringify({ ...item, metadata: { ...metadata, annotations } }).replaceAll('"metadata":{},', "");
    // A probe that was replaced comes back as it was written, before the server completed it.
    const text = whole.replaceAll(/,"scheme":"HTTP"|"scheme":"HTTP",/g, "");
    return JSON.parse(uids.reduce((result, uid) => result.replaceAll(uid, "uid"), text)) as unknown;
  });
}
