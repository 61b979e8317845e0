// How far a rollout is, and why a pod isn't ready: what is said of the states that clusters show.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isReady, podTrouble } from "../../../../src/commands/install/apply/pod-trouble.ts";
import { rolloutState } from "../../../../src/commands/install/apply/rollout-state.ts";
import type { KubeObject } from "../../../../src/kube/resource-kind.ts";

function deployment(replicas: number, status: object): KubeObject {
  const metadata = { name: "controller", generation: 2 };
  return { apiVersion: "apps/v1", kind: "Deployment", metadata, spec: { replicas }, status: { observedGeneration: 2, ...status } };
}

describe("a rollout", () => {
  for (const [what, replicas, status, isDone, text] of [
    [
      "nobody has looked at",
      1,
      { observedGeneration: 1, replicas: 1, updatedReplicas: 1, availableReplicas: 1 },
      false,
      "waiting for the cluster to look at it",
    ],
    ["has started", 3, { replicas: 3, updatedReplicas: 1, availableReplicas: 3 }, false, "1 of 3 replicas are new"],
    ["has old replicas", 2, { replicas: 3, updatedReplicas: 2, availableReplicas: 3 }, false, "1 old replicas are still there"],
    ["waits for pods", 2, { replicas: 2, updatedReplicas: 2, availableReplicas: 1 }, false, "1 of 2 replicas are ready"],
    ["is through", 2, { replicas: 2, updatedReplicas: 2, availableReplicas: 2 }, true, "2 of 2 replicas are ready"],
  ] as const)
    test(`that ${what}: ${text}`, () => {
      const state = rolloutState(deployment(replicas, status));
      assert.deepEqual([state.isDone, state.text, state.trouble], [isDone, text, undefined]);
    });

  test("that is refused pods says so, and goes on", () => {
    const conditions = [{ type: "ReplicaFailure", status: "True", reason: "FailedCreate", message: "exceeded quota" }];
    const { hasFailed, trouble } = rolloutState(deployment(1, { conditions }));
    assert.deepEqual([hasFailed, trouble], [false, "exceeded quota"]);
  });

  test("that missed its deadline has failed", () => {
    const conditions = [{ type: "Progressing", status: "False", reason: "ProgressDeadlineExceeded", message: "timed out" }];
    const { hasFailed, trouble } = rolloutState(deployment(1, { conditions }));
    assert.deepEqual([hasFailed, trouble], [true, "timed out"]);
  });
});

function pod(status: object): KubeObject {
  return { apiVersion: "v1", kind: "Pod", metadata: { name: "controller-1" }, status };
}

function event(reason: string, message: string, type = "Warning"): KubeObject {
  return { apiVersion: "v1", kind: "Event", metadata: { name: "e" }, type, reason, message };
}

describe("a pod that isn't ready", () => {
  test("tells why it has no node, and each kind of warning once", () => {
    const conditions = [{ type: "PodScheduled", status: "False", reason: "Unschedulable", message: "0/3 nodes are available" }];
    const events = [
      event("Scheduled", "…", "Normal"),
      event("FailedScheduling", "0/2 nodes are available"),
      event("FailedScheduling", "0/3 nodes are available"),
    ];
    assert.deepEqual(podTrouble(pod({ conditions }), events), [
      "Unschedulable: 0/3 nodes are available",
      "event FailedScheduling: 0/3 nodes are available",
    ]);
  });

  test("tells what its containers wait for and how they ended", () => {
    const containerStatuses = [
      { name: "ok", ready: true, restartCount: 0, state: { running: {} } },
      {
        name: "pull",
        ready: false,
        restartCount: 0,
        state: { waiting: { reason: "ImagePullBackOff", message: "Back-off pulling image" } },
      },
      {
        name: "crash",
        ready: false,
        restartCount: 4,
        state: { waiting: { reason: "CrashLoopBackOff" } },
        lastState: { terminated: { exitCode: 137, reason: "OOMKilled" } },
      },
      { name: "slow", ready: false, restartCount: 0, state: { running: {} } },
      { name: "starting", ready: false, restartCount: 0, state: { waiting: { reason: "PodInitializing" } } },
    ];
    assert.deepEqual(podTrouble(pod({ containerStatuses }), []), [
      "container pull: ImagePullBackOff: Back-off pulling image",
      "container crash: CrashLoopBackOff; ended with exit code 137 (OOMKilled); restarted 4 times",
      "container slow: runs, but is not ready",
    ]);
  });

  test("is told from one that is", () => {
    assert.equal(isReady(pod({ conditions: [{ type: "Ready", status: "True" }] })), true);
    assert.equal(isReady(pod({})), false);
  });
});
