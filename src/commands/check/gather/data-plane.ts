// The pods that are, or should be, in the mesh, and the last words of captures that failed.
import { INIT_CONTAINER } from "../../../manifests/injected-containers.ts";
import type { DataPlaneFacts, PodObject } from "../cluster-state.ts";
import type { Gathered } from "../gathered.ts";
import { hasCaptureFailed } from "../checks/capture.ts";
import type { ClusterQuestions } from "./cluster-questions.ts";

/** One node that lacks something fails many pods alike. */
const MOST_LOGS = 20;

export async function gatherDataPlane(questions: ClusterQuestions, namespace: string | undefined): Promise<DataPlaneFacts> {
  const pods = await questions.list<PodObject>({ apiVersion: "v1", kind: "Pod" }, { namespace });
  const failed = "value" in pods ? pods.value.filter(hasCaptureFailed).slice(0, MOST_LOGS) : [];
  const logs = await Promise.all(
    failed.map(async ({ metadata: { name = "", namespace: own = "" } }): Promise<[string, Gathered<string>]> => {
      return [`${own}/${name}`, await questions.log(own, name, INIT_CONTAINER)];
    }),
  );
  return { namespace, pods, captureLogs: Object.fromEntries(logs) };
}
