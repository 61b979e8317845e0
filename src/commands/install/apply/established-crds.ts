// Waits until the API server serves the kinds of CRDs that were applied.
import { sleep } from "../../../common/clock.ts";
import { UserError } from "../../../common/user-error.ts";
import { retried } from "../../../kube/retried.ts";
import type { KubeObject } from "../../../kube/resource-kind.ts";
import { CRD } from "../../../manifests/install/installed-kinds.ts";
import type { Cluster } from "../live/open-cluster.ts";

/** It takes a moment each; a minute is an API server in trouble. */
const WITHIN_MS = 60_000;
const POLL_MS = 200;

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly message?: string;
}

/** @throws UserError when a kind's names are taken, or it takes too long. */
export async function waitUntilEstablished({ objects, clock }: Cluster, names: readonly string[]): Promise<void> {
  const deadlineMs = clock.now() + WITHIN_MS;
  for (const name of names) {
    for (;;) {
      const conditions = conditionsOf(await retried(clock, () => objects.get({ ...CRD, name })));
      if (conditions.some(({ type, status }) => type === "Established" && status === "True")) break;
      const refused = conditions.find(({ type, status }) => type === "NamesAccepted" && status === "False");
      if (refused !== undefined) throw new UserError(`the API server doesn't serve ${name}: ${refused.message ?? "its names are taken"}`);
      if (clock.now() >= deadlineMs) throw new UserError(`the API server doesn't serve ${name} after ${WITHIN_MS / 1000} s`);
      await sleep(clock, POLL_MS);
    }
  }
}

function conditionsOf(crd: KubeObject | undefined): readonly Condition[] {
  return (crd?.["status"] as { readonly conditions?: readonly Condition[] } | undefined)?.conditions ?? [];
}
