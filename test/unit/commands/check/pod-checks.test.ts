// The checks about pods: meshed when they should be, captured, without conflicts, with sidecars that are ready,
// connected and up to date.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { runChecks } from "../../../../src/commands/check/check-list.ts";
import { capture } from "../../../../src/commands/check/checks/capture.ts";
import { conflicts } from "../../../../src/commands/check/checks/conflicts.ts";
import { injection } from "../../../../src/commands/check/checks/injection.ts";
import { sidecars } from "../../../../src/commands/check/checks/sidecars.ts";
import type { ClusterState, PodObject, ReplicaFacts } from "../../../../src/commands/check/cluster-state.ts";
import { valueOf } from "../../../../src/commands/check/gathered.ts";
import { findings, FORBIDDEN, remedies } from "../../../support/check/find.ts";
import { appPod, healthyState, meshCertificates, meshedPod, namespace } from "../../../support/check/healthy-mesh.ts";

const certificates = await meshCertificates();
const withPods = (...pods: PodObject[]): ClusterState => healthyState(certificates, pods);

function withContainer(name: string, container: string, changes: object, pod = meshedPod(name)): PodObject {
  const initContainerStatuses = (pod.status?.initContainerStatuses ?? []).map((each) =>
    each.name === container ? { ...each, ...changes } : each,
  );
  return { ...pod, status: { ...pod.status, initContainerStatuses } };
}

describe("a pod that should be meshed and isn't", () => {
  const place = "error: pod web-1.shop has no sidecar, though";

  test("is told with the label that decides, and restarted by its owner", () => {
    const state = withPods(appPod("web-1"));
    assert.deepEqual(findings(injection, "pods that should", state), [
      `${place} label meshctl.io/inject=enabled on the namespace asks for one: it was created before that was said, or while no webhook answered`,
    ]);
    assert.deepEqual(remedies(injection, "pods that should", state), ["kubectl -n shop rollout restart deployment/web"]);
    const bare = appPod("web-1", {}, { ownerReferences: [] });
    assert.match(
      remedies(injection, "pods that should", withPods(bare)).join(),
      /^kubectl -n shop get pod web-1 -o yaml \| kubectl replace/,
    );
    const job = { apiVersion: "batch/v1", kind: "Job", name: "load", uid: "2", controller: true };
    const ofJob = appPod("load-x", {}, { ownerReferences: [job] });
    assert.equal(
      remedies(injection, "pods that should", withPods(ofJob))[0],
      "kubectl -n shop delete pod load-x    # Job load makes a new one",
    );
  });

  test("has another mesh's sidecar, or a namespace whose Pod Security refuses ours", () => {
    const istios = appPod("web-1", { containers: [{ name: "app" }, { name: "istio-proxy" }] });
    assert.match(findings(injection, "pods that should", withPods(istios)).join(), /asks for one: it has Istio's sidecar already/);
    const strict = namespace("shop", { "meshctl.io/inject": "enabled", "pod-security.kubernetes.io/enforce": "baseline" });
    const state = { ...withPods(appPod("web-1")), namespaces: { value: [strict] } };
    assert.match(findings(injection, "pods that should", state).join(), /asks for one: namespace shop enforces Pod Security "baseline"/);
    const annotated = { ...state, namespaces: { value: [namespace("shop", {}, { "linkerd.io/inject": "enabled" })] } };
    assert.match(findings(injection, "pods that should", annotated).join(), /the webhook sees labels of namespaces, not annotations$/);
  });

  test("is fine where it says no, has ended, or can't have one; asking in vain is warned of", () => {
    const no = appPod("a", {}, { labels: { "sidecar.istio.io/inject": "false" } });
    const ended = { ...appPod("b"), status: { phase: "Succeeded" } };
    const ofNode = appPod("c", { hostNetwork: true });
    assert.deepEqual(findings(injection, "pods that should", withPods(no, ended, ofNode)), []);
    const asking = appPod("d", { hostNetwork: true }, { annotations: { "meshctl.io/inject": "enabled" } });
    assert.deepEqual(findings(injection, "pods that should", withPods(asking)), [
      "warning: pod d.shop: annotation meshctl.io/inject=enabled on the pod asks for a sidecar, which a pod with hostNetwork: true can't have",
    ]);
  });

  test("says a word that decides nothing", () => {
    const pod = appPod("a", {}, { labels: { "meshctl.io/inject": "on" } });
    assert.match(
      findings(injection, "labels and", withPods(pod)).join(),
      /pod a\.shop: label meshctl\.io\/inject="on" says neither yes nor no/,
    );
  });

  test("has two sidecars", () => {
    const pod = meshedPod("a");
    const both = { ...pod, spec: { ...pod.spec, containers: [...pod.spec.containers, { name: "linkerd-proxy" }] } };
    assert.match(findings(injection, "no pod has", withPods(both)).join(), /has our sidecar, and it has Linkerd's sidecar already/);
  });
});

describe("capture", () => {
  const failed = (message: string | undefined): PodObject =>
    withContainer("web-1", "meshctl-init", {
      state: { waiting: { reason: "CrashLoopBackOff" } },
      lastState: { terminated: { exitCode: 1, ...(message === undefined ? {} : { message }) } },
    });

  test("that failed is told by the last words of the container, and what they mean", () => {
    for (const [words, meaning, remedy] of [
      [
        "rules of meshctl stand both in iptables-nft and in iptables-legacy of this network namespace",
        /the rules stand in both backends/,
        /^kubectl -n shop delete pod web-1/,
      ],
      [
        "meshctl's rules are in iptables-nft, and other rules in iptables-legacy decide first",
        /uses the other backend/,
        /^kubectl debug node\/node-1 .* iptables-legacy-save/,
      ],
      ["iptables-nft failed, the kernel lacks modules that the rules need: x", /lacks kernel modules of the backend/, /modprobe -a nf_nat/],
      ["changing iptables rules needs the capability NET_ADMIN, which", /may not change iptables/, /enforce=privileged$/],
    ] as const) {
      const state = withPods(failed(`starting\nmeshctl: ${words}\n  hint: something\n`));
      const [found = ""] = findings(capture, "traffic", state);
      assert.ok(found.startsWith(`error: pod web-1.shop: container meshctl-init ended with exit code 1: ${words}\n`), found);
      assert.match(found, meaning);
      assert.match(remedies(capture, "traffic", state).join(), remedy);
    }
  });

  test("that failed without last words is told by the container's log, where it may be read", () => {
    const pod = failed(undefined);
    const state = withPods(pod);
    const withLog = (log: object): ClusterState => ({
      ...state,
      dataPlane: { ...state.dataPlane!, captureLogs: { "shop/web-1": log as never } },
    });
    assert.match(findings(capture, "traffic", withLog({ value: "meshctl: something new\n" })).join(), /exit code 1: something new$/);
    const [result] = runChecks([capture], withLog(FORBIDDEN))[0]!.checks;
    assert.equal(result?.result, "warning");
    assert.match(result?.findings[0]?.message ?? "", /^could not be checked: you lack the permission/);
  });

  test("that failed once and then went well is fine", () => {
    const pod = withContainer("web-1", "meshctl-init", { lastState: { terminated: { exitCode: 1 } } });
    assert.deepEqual(findings(capture, "traffic", withPods(pod)), []);
  });
});

describe("an app beside a sidecar", () => {
  test("may not use its ports", () => {
    const containers = [{ name: "app", ports: [{ containerPort: 8080 }, { containerPort: 15021 }, { containerPort: 15090 }] }];
    assert.deepEqual(findings(conflicts, "apps use", withPods(meshedPod("web-1", { containers }))), [
      "error: pod web-1.shop: container app uses port 15021, which the sidecar needs for readiness",
      "error: pod web-1.shop: container app uses port 15090, which the sidecar needs for metrics",
    ]);
    assert.deepEqual(findings(conflicts, "apps use", withPods(appPod("alone", { containers }))), []);
  });

  test("may not be its user or group, by itself or by its pod", () => {
    const found = (spec: Partial<PodObject["spec"]>): string =>
      findings(conflicts, "apps don't", withPods(meshedPod("web-1", spec))).join();
    assert.match(found({ securityContext: { runAsUser: 1337 } }), /^error: pod web-1.shop: container app runs as user 1337/);
    assert.match(found({ containers: [{ name: "app", securityContext: { runAsGroup: 1337 } }] }), /runs as group 1337/);
    const overridden = { securityContext: { runAsUser: 1337 }, containers: [{ name: "app", securityContext: { runAsUser: 1000 } }] };
    assert.equal(found(overridden), "");
  });
});

describe("a sidecar", () => {
  test("is not ready, for a reason; one whose capture failed is told there", () => {
    const crashed = withContainer("web-1", "meshctl-proxy", {
      ...{ ready: false, restartCount: 3, state: { waiting: { reason: "CrashLoopBackOff" } } },
      lastState: { terminated: { exitCode: 137, reason: "OOMKilled" } },
    });
    const starting = withContainer("web-2", "meshctl-proxy", { ready: false, state: { running: {} } });
    const uncaptured = withContainer("web-3", "meshctl-init", { ready: false, state: { terminated: { exitCode: 1 } } });
    const state = withPods(crashed, starting, withContainer("web-3", "meshctl-proxy", { ready: false }, uncaptured));
    assert.deepEqual(findings(sidecars, "sidecars are ready", state), [
      "error: pod web-1.shop: container meshctl-proxy keeps ending (3 restarts), last with OOMKilled (exit code 137)",
      "error: pod web-2.shop: container meshctl-proxy is not ready",
    ]);
    assert.equal(remedies(sidecars, "sidecars are ready", state)[0], "kubectl -n shop logs web-1 -c meshctl-proxy --previous");
  });

  const withReplicas = (state: ClusterState, ...changes: Partial<ReplicaFacts>[]): ClusterState => {
    const controller = valueOf(state.controller);
    const [replica] = valueOf(controller.replicas);
    return { ...state, controller: { value: { ...controller, replicas: { value: changes.map((each) => ({ ...replica!, ...each })) } } } };
  };

  test("is known to one of the replicas", () => {
    const pods = withPods(meshedPod("web-1"), meshedPod("web-2"), meshedPod("web-3"));
    const first = { proxies: { value: [{ proxy: "web-1.shop" }] } };
    const second = { proxies: { value: [{ proxy: "web-2.shop" }] } };
    assert.deepEqual(findings(sidecars, "sidecars are connected", withReplicas(pods, first, second)), [
      "error: pod web-3.shop runs a sidecar that no replica of the control plane knows",
    ]);
    // The one that couldn't be asked may know it.
    const [category] = runChecks([sidecars], withReplicas(pods, first, { proxies: FORBIDDEN }));
    assert.equal(category?.checks[2]?.result, "warning");
    const [alone] = runChecks([sidecars], withReplicas(pods));
    assert.match(alone?.checks[2]?.findings[0]?.message ?? "", /no replica of the control plane runs$/);
  });

  test("refuses what it is told", () => {
    const refused = { proxy: "web-1.shop", cluster_refused: "outbound|80||x: too odd\nand more", cluster_sent: "1" };
    const state = withReplicas(withPods(meshedPod("web-1")), {
      proxies: { value: [refused, { proxy: "gone.shop", listener_refused: "x" }] },
    });
    assert.deepEqual(findings(sidecars, "sidecars accept", state), ["error: web-1.shop refused its clusters: outbound|80||x: too odd"]);
  });

  test("is compared with the newest replica of the control plane", () => {
    const state = withReplicas(withPods(meshedPod("web-1")), { version: { value: "1.9.0" } }, { version: { value: "1.10.0" } });
    assert.match(
      findings(sidecars, "sidecars are of", state).join(),
      /^warning: pod web-1.shop's sidecar was injected by dev, the control plane is 1.10.0$/,
    );
    assert.deepEqual(remedies(sidecars, "sidecars are of", state), ["kubectl -n shop rollout restart deployment/web"]);
    const { metadata, ...rest } = meshedPod("web-1");
    const unknown = { ...rest, metadata: { ...metadata, annotations: {} } };
    assert.match(findings(sidecars, "sidecars are of", withPods(unknown)).join(), /no readable annotation meshctl.io\/injected/);
  });

  test("of a namespace that isn't there ends the checks", () => {
    const state = withPods();
    const results = runChecks([sidecars, conflicts], { ...state, dataPlane: { ...state.dataPlane!, namespace: "nowhere" } });
    assert.deepEqual(
      results.map(({ checks }) => checks.map((each) => each.result)),
      [["error"]],
    );
  });
});
