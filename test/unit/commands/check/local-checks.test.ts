// The checks of the local mesh.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isSuccess, runChecks, type CategoryResult } from "../../../../src/commands/check/check-list.ts";
import { LOCAL_CATEGORIES } from "../../../../src/commands/check/local/local-checks.ts";
import type { LocalState } from "../../../../src/commands/check/local/local-state.ts";
import type { ContainerInfo, MeshInfo, PodInfo } from "../../../../src/local/run-folder.ts";
import { FORBIDDEN } from "../../../support/check/find.ts";

const container = (name: string, kind: ContainerInfo["kind"], changes: Partial<ContainerInfo> = {}): ContainerInfo => ({
  ...{ name, kind, state: kind === "init" ? "Completed" : "Running", ready: true, restarts: 0, logPath: "", previousLogPath: "" },
  ...changes,
});

const pod = (name: string, init: Partial<ContainerInfo> = {}, sidecar: Partial<ContainerInfo> = {}): PodInfo => ({
  ...{ name, namespace: "shop", ip: "10.0.0.1", ips: ["10.0.0.1"], owner: { kind: "Deployment", name: "web" }, labels: {} },
  ...{ serviceAccount: "web", meshed: true, phase: "Running", ready: true, restarts: 0, createdAt: "", socketPath: "" },
  containers: [container("meshctl-init", "init", init), container("meshctl-proxy", "sidecar", sidecar), container("app", "app")],
});

function state(changes: Partial<MeshInfo> = {}, more: Partial<LocalState> = {}): LocalState {
  const pods = changes.pods ?? [pod("web-1")];
  const mesh: MeshInfo = {
    ...{
      name: "default",
      version: "1.0.0",
      createdAt: "",
      starter: { pid: 1, startTicks: "1" },
      rootless: false,
      sources: ["k8s"],
    },
    ...{ published: [], folder: "", phase: "ready", pods, controller: pod("controller"), problems: [], warnings: [] },
    ...changes,
  };
  return {
    ...{ version: "1.0.0", namespace: undefined, mesh: { value: mesh }, captureLogs: {} },
    proxies: { value: pods.map((each) => ({ proxy: `${each.name}.${each.namespace}` })) },
    backends: { value: [{ kind: "nft", hasRules: false, problem: undefined }] },
    ...more,
  };
}

function problems(of: LocalState): string[] {
  const results: CategoryResult[] = runChecks(LOCAL_CATEGORIES, of);
  return results.flatMap(({ checks }) => checks.flatMap((each) => each.findings.map(({ message }) => `${each.result}: ${message}`)));
}

describe("the local mesh", () => {
  test("is sound", () => {
    assert.deepEqual(problems(state()), []);
    assert.ok(isSuccess(runChecks(LOCAL_CATEGORIES, state())));
  });

  test("is not there, and nothing else is looked at", () => {
    assert.deepEqual(problems(state({}, { mesh: FORBIDDEN, proxies: FORBIDDEN })), ["error: you lack the permission to list x"]);
    assert.deepEqual(problems(state({ phase: "dead" })), ["error: mesh default is dead"]);
  });

  test("has mistakes in its files, no control plane, another version", () => {
    const { controller: _controller, ...rest } = (state().mesh as { value: MeshInfo }).value;
    const broken = { ...rest, problems: ["k8s/a.yaml:3: no such field"], version: "0.9.0" };
    assert.deepEqual(problems({ ...state(), mesh: { value: broken } }), [
      "error: k8s/a.yaml:3: no such field",
      "error: the control plane is not ready",
      "warning: mesh default was started by 0.9.0, this meshctl is 1.0.0",
    ]);
  });

  test("has a pod without capture: its sidecar is not complained of as well", () => {
    const failed = pod("web-1", { state: "CrashLoopBackOff", ready: false, lastEnd: "exit code 1" }, { state: "Waiting", ready: false });
    const captureLogs = { "shop/web-1": "meshctl: iptables-nft failed, the kernel lacks modules\n  hint: load them" };
    assert.deepEqual(problems(state({ pods: [failed] }, { captureLogs })), [
      "error: pod web-1.shop: container meshctl-init ends with exit code 1: iptables-nft failed, the kernel lacks modules",
    ]);
  });

  test("has a sidecar that crashes, one that nobody knows, and one that refuses; those of other namespaces don't count", () => {
    const crashing = pod("web-1", {}, { state: "CrashLoopBackOff", ready: false, lastEnd: "exit code 70" });
    const proxies = { value: [{ proxy: "web-3.shop", route_refused: "too odd" }] };
    const pods = [crashing, pod("web-2"), pod("web-3"), { ...pod("other"), namespace: "else" }];
    assert.deepEqual(problems(state({ pods }, { proxies, namespace: "shop" })), [
      "error: pod web-1.shop: its sidecar is CrashLoopBackOff, and not ready: exit code 70",
      "error: pod web-2.shop runs a sidecar that the control plane doesn't know",
      "error: web-3.shop refused its routes: too odd",
    ]);
  });

  test("has no such namespace: nothing after it is looked at", () => {
    assert.deepEqual(problems(state({}, { namespace: "shpo" })), ["error: mesh default has no pods in namespace shpo"]);
  });

  test("has a sidecar that refuses, in a namespace that isn't asked about", () => {
    const proxies = { value: [{ proxy: "other.else", route_refused: "too odd" }, { proxy: "web-1.shop" }] };
    const pods = [pod("web-1"), { ...pod("other"), namespace: "else" }];
    assert.deepEqual(problems(state({ pods }, { proxies, namespace: "shop" })), []);
  });

  test("is named in the commands that mend it, where it isn't the default one", () => {
    const crashing = pod("web-1", {}, { state: "CrashLoopBackOff", ready: false });
    const proxies = { value: [{ proxy: "web-2.shop", route_refused: "too odd" }] };
    const remedies = (name: string): string[] =>
      runChecks(LOCAL_CATEGORIES, state({ name, pods: [crashing, pod("web-2")] }, { proxies })).flatMap(({ checks }) =>
        checks.flatMap((each) => each.findings.map(({ remedy }) => remedy)),
      );
    assert.deepEqual(remedies("two"), [
      "meshctl local logs web-1.shop -c meshctl-proxy --name two",
      "meshctl proxy-status web-2.shop --name two",
    ]);
    assert.deepEqual(remedies("default"), ["meshctl local logs web-1.shop -c meshctl-proxy", "meshctl proxy-status web-2.shop --local"]);
  });

  test("is on a machine whose iptables is in two minds, or of which a backend doesn't work", () => {
    const backends = (nft: object, legacy: object): LocalState =>
      state(
        {},
        {
          backends: {
            value: [
              { ...BACKEND, kind: "nft", ...nft },
              { ...BACKEND, kind: "legacy", ...legacy },
            ],
          },
        },
      );
    assert.match(
      problems(backends({ hasRules: true }, { hasRules: true })).join(),
      /^warning: rules stand both in iptables-nft and in iptables-legacy/,
    );
    assert.deepEqual(problems(backends({ hasRules: true }, {})), []);
    const missing = { problem: "can't initialize iptables table" };
    assert.match(problems(backends({}, missing)).join(), /^warning: iptables-legacy does not work here: can't initialize/);
    assert.match(problems(backends(missing, missing)).join(), /^error: .*error: /);
    assert.deepEqual(problems(state({}, { backends: FORBIDDEN })), ["warning: could not be checked: you lack the permission to list x"]);
  });
});

const BACKEND = { hasRules: false, problem: undefined };
