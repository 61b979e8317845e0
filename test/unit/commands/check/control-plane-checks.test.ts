// The checks about the control plane: whole, running, believed by the API server, with roots that last.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { runChecks } from "../../../../src/commands/check/check-list.ts";
import { controlPlane } from "../../../../src/commands/check/checks/control-plane.ts";
import { identity } from "../../../../src/commands/check/checks/identity.ts";
import { webhooks } from "../../../../src/commands/check/checks/webhooks.ts";
import type {
  ClusterState,
  ControllerFacts,
  IdentityFacts,
  PodObject,
  WebhookConfiguration,
} from "../../../../src/commands/check/cluster-state.ts";
import { NotGathered, valueOf } from "../../../../src/commands/check/gathered.ts";
import { findings, FORBIDDEN, remedies } from "../../../support/check/find.ts";
import {
  controllerPod,
  deployment,
  healthyState,
  injector,
  meshCertificates,
  NOW_MS,
  rootConfigMap,
} from "../../../support/check/healthy-mesh.ts";

const DAY_MS = 86_400_000;
const certificates = await meshCertificates();
const other = await meshCertificates();
const healthy = healthyState(certificates);
const controller = valueOf(healthy.controller);
const withController = (changes: Partial<ControllerFacts>): ClusterState => ({
  ...healthy,
  controller: { value: { ...controller, ...changes } },
});

describe("the control plane", () => {
  test("that is not there is told, with how to install it", () => {
    const state = withController({ deployment: undefined });
    assert.deepEqual(findings(controlPlane, "control plane is installed", state), [
      "error: there is no Deployment controller in namespace mesh-system",
    ]);
    assert.deepEqual(remedies(controlPlane, "control plane is installed", state), ["meshctl install | kubectl apply -f -"]);
  });

  test("keeps values that nobody may look at, which are not called valid", () => {
    const state = { ...healthy, installation: { ...healthy.installation, problems: FORBIDDEN } };
    const check = runChecks([controlPlane], state)[0]?.checks.find(({ hint }) => hint === "control-plane-values");
    assert.deepEqual([check?.result, check?.findings[0]?.message], ["warning", "could not be checked: you lack the permission to list x"]);
  });

  test("lacks an object, and one that may not be looked at hides it not", () => {
    const objects = [
      { kind: "Secret", name: "a", namespace: "mesh-system", isThere: FORBIDDEN },
      { kind: "ClusterRole", name: "b", namespace: undefined, isThere: { value: false } },
    ];
    assert.deepEqual(findings(controlPlane, "every object", { ...healthy, installation: { ...healthy.installation, objects } }), [
      "warning: Secret a in namespace mesh-system could not be checked: you lack the permission to list x",
      "error: ClusterRole b is missing",
    ]);
  });

  test("doesn't run, for a reason that the kubelet tells", () => {
    const base = { name: "controller", ready: false, restartCount: 4 };
    const ended = { exitCode: 1, reason: "Error", message: "listening\nmeshctl: port 15012 is taken\n" };
    for (const [status, message, remedy] of [
      [
        { ...base, state: { waiting: { reason: "ImagePullBackOff", message: 'Back-off pulling "meshctl:9"' } } },
        'container controller: ImagePullBackOff: Back-off pulling "meshctl:9"',
        /meshctl install --set image=/,
      ],
      [
        { ...base, state: { waiting: { reason: "CrashLoopBackOff" } }, lastState: { terminated: ended } },
        "container controller keeps ending (4 restarts), last with Error (exit code 1): meshctl: port 15012 is taken",
        /logs controller-7d4b9c6f5-x2x7k --previous$/,
      ],
      [
        { ...base, state: { waiting: { reason: "CreateContainerConfigError", message: 'secret "x" not found' } } },
        'container controller: CreateContainerConfigError: secret "x" not found',
        /describe pod controller-7d4b9c6f5-x2x7k$/,
      ],
      [{ ...base, state: { running: {} } }, "container controller is not ready", /describe pod/],
    ] as const) {
      const pod: PodObject = { ...controllerPod, status: { phase: "Running", conditions: [], containerStatuses: [status] } };
      const state = withController({ pods: { value: [pod] } });
      assert.deepEqual(findings(controlPlane, "control plane pods", state), [`error: pod controller-7d4b9c6f5-x2x7k: ${message}`]);
      assert.match(remedies(controlPlane, "control plane pods", state).join(), remedy);
    }
  });

  test("is waited for only while it may still come up by itself", () => {
    const mayPass = (pod: PodObject["status"]): boolean | undefined =>
      controlPlane.checks[3]?.find(withController({ pods: { value: [{ ...controllerPod, status: { ...pod } }] } }))[0]?.mayPass;
    assert.equal(mayPass({ phase: "Pending" }), true);
    assert.equal(mayPass({ phase: "Pending", conditions: [{ type: "PodScheduled", status: "False", message: "0/3 nodes" }] }), false);
  });

  test("has no pod at all, which is no trouble of a pod where none is wanted", () => {
    const none = { value: [] };
    assert.deepEqual(findings(controlPlane, "control plane pods are ready", withController({ pods: none })), ["error: there are none"]);
    const scaled = withController({ pods: none, deployment: { ...deployment, spec: { ...deployment.spec, replicas: 0 } } });
    assert.deepEqual(findings(controlPlane, "control plane pods are ready", scaled), []);
  });

  test("has fewer replicas than wanted, or may not make any", () => {
    const status = (changes: object): ClusterState =>
      withController({ deployment: { ...deployment, spec: { replicas: 3 }, status: changes } });
    assert.deepEqual(findings(controlPlane, "as many", status({ availableReplicas: 2 })), ["warning: 2 of 3 replicas are available"]);
    assert.deepEqual(findings(controlPlane, "as many", status({})), ["error: 0 of 3 replicas are available"]);
    const conditions = [{ type: "ReplicaFailure", status: "True", message: "exceeded quota: pods=0" }];
    assert.deepEqual(findings(controlPlane, "as many", status({ conditions })), ["error: pods can't be created: exceeded quota: pods=0"]);
    const none = withController({ deployment: { ...deployment, spec: { replicas: 0 } } });
    assert.match(remedies(controlPlane, "as many", none).join(), /scale deployment controller --replicas=1$/);
  });

  test("is of another version than the command line", () => {
    const [replica] = valueOf(controller.replicas);
    const state = withController({ replicas: { value: [{ ...replica!, version: { value: "0.0.9" } }] } });
    assert.deepEqual(findings(controlPlane, "control plane and", state), [
      `warning: ${replica!.pod} runs 0.0.9, this meshctl is ${healthy.version}`,
    ]);
  });
});

describe("the mesh's roots", () => {
  const withMaps = (...rootConfigMaps: ReturnType<typeof rootConfigMap>[]): ClusterState => ({
    ...healthy,
    identity: { ...healthy.identity, rootConfigMaps: { value: rootConfigMaps } },
  });

  test("are waited for, and told when they are no certificates", () => {
    assert.match(findings(identity, "the mesh has root", withMaps()).join(), /^error: no namespace has a ConfigMap/);
    assert.match(findings(identity, "the mesh has root", withMaps(rootConfigMap("mesh-system", "x"))).join(), /holds no certificate$/);
    for (const check of ["root certificates are valid", "every meshed namespace has the same"])
      assert.throws(() => findings(identity, check, withMaps()), NotGathered, `${check}: not green without roots`);
  });

  test("warn 60 days before they expire, and are errors afterwards", () => {
    const at = (days: number): string[] => findings(identity, "root certificates are valid", { ...healthy, nowMs: NOW_MS + days * DAY_MS });
    const lifeDays = 3650;
    assert.deepEqual(at(lifeDays - 61), []);
    assert.match(at(lifeDays - 30).join(), /^warning: root certificate .* expires in (29|30) days, on \d{4}-\d\d-\d\d$/);
    assert.match(at(lifeDays + 1).join(), /^error: root certificate .* has expired, on /);
  });

  test("are the same in every meshed namespace", () => {
    const own = rootConfigMap("mesh-system", certificates.roots);
    assert.match(findings(identity, "every meshed", withMaps(own)).join(), /^error: namespace shop has no ConfigMap/);
    assert.match(findings(identity, "every meshed", withMaps(own, rootConfigMap("shop", other.roots))).join(), /has other roots/);
    const renewed = rootConfigMap("shop", `# of 2026\n${certificates.roots}`);
    assert.deepEqual(findings(identity, "every meshed", withMaps(own, renewed)), [], "the text around certificates is nobody's");
  });

  test("include that of the issuing certificate", () => {
    const issuedBy = (issuer: string | undefined, changes: Partial<IdentityFacts> = {}): string[] =>
      findings(identity, "the issuing", { ...healthy, identity: { ...healthy.identity, issuer: { value: issuer }, ...changes } });
    assert.match(issuedBy(other.roots).join(), /^error: the issuing certificate .* is of no root in ConfigMap meshctl-root-cert/);
    assert.match(
      issuedBy(undefined, { rootConfigMaps: { value: [] } }).join(),
      /^error: namespace mesh-system has no Secret with the CA yet/,
    );
    assert.match(issuedBy(undefined).join(), /^error: Secret meshctl-ca is gone: .* makes a new CA that no workload trusts$/);
    assert.match(issuedBy("no certificate").join(), /holds no certificate/);
    // An intermediate, of a week.
    assert.match(issuedBy(certificates.serving.chain[0]).join(), /^warning: issuing certificate .* expires in 7 days/);
  });
});

describe("the webhooks", () => {
  test("are not said to answer where no replica runs that could", () => {
    assert.throws(() => findings(webhooks, "they answer", withController({ replicas: { value: [] } })), NotGathered);
  });

  const withWebhooks = (...configurations: WebhookConfiguration[]): ClusterState => ({ ...healthy, webhooks: { value: configurations } });

  test("have nobody to answer them", () => {
    assert.deepEqual(findings(webhooks, "webhooks have", withController({ readyEndpoints: { value: {} } })), [
      "error: Service controller of the webhooks has no ready endpoint: pods of meshed namespaces can't be created",
    ]);
  });

  test("have no caBundle yet, an unreadable one, or another CA's; those of others are not looked at", () => {
    const found = (roots: string): string => findings(webhooks, "their caBundle", withWebhooks(injector(roots))).join();
    assert.match(found(""), /^error: \S+ meshctl-sidecar-injector, webhook \S+: it has no caBundle yet$/);
    assert.match(found(other.roots), /its caBundle lacks the mesh's root certificate/);
    assert.equal(found(`${other.roots}${certificates.roots}`), "", "while roots change");
    const broken = found("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    assert.match(broken, /holds no certificate that can be read$/);
    const foreign = injector("");
    assert.deepEqual(findings(webhooks, "their caBundle", withWebhooks({ ...foreign, metadata: { name: "other" } })), []);
  });

  test("show a certificate of another CA, for another name, or of last week", async () => {
    const showing = (chain: readonly string[], changes: Partial<ClusterState> = {}): string => {
      const [replica] = valueOf(controller.replicas);
      const state = withController({ replicas: { value: [{ ...replica!, webhook: { value: { chain } } }] } });
      return findings(webhooks, "they answer", { ...state, ...changes }).join();
    };
    assert.equal(showing(certificates.serving.chain), "");
    assert.match(showing(other.serving.chain), /shows a certificate that the caBundle does not verify$/);
    assert.match(showing([]), /shows no certificate/);
    const elsewhere = await meshCertificates(NOW_MS, "controller.elsewhere.svc");
    const believed = { webhooks: { value: [injector(elsewhere.roots)] } };
    assert.match(showing(elsewhere.serving.chain, believed), /is not for controller.mesh-system.svc$/);
    assert.match(showing(certificates.serving.chain, { nowMs: NOW_MS + 8 * DAY_MS }), /^error: certificate of .* has expired/);
  });

  test("let pods start unmeshed in silence with failurePolicy Ignore", () => {
    const configuration = injector(certificates.roots);
    const ignoring = { ...configuration, webhooks: (configuration.webhooks ?? []).map((each) => ({ ...each, failurePolicy: "Ignore" })) };
    assert.match(findings(webhooks, "no pod starts", withWebhooks(ignoring)).join(), /^warning: webhook \S+ has failurePolicy Ignore/);
  });
});
