// What should be in the cluster: where its control plane is, the values that it was installed with, and every object
// that `meshctl install` prints for them.
import { customResourceDefinitions } from "../../../manifests/crd/custom-resource-definition.ts";
import { controlPlaneObjects } from "../../../manifests/install/installation.ts";
import { INSTALLATION_LABEL } from "../../../manifests/install/installation-label.ts";
import { readKeptValues, VALUES_CONFIG_MAP } from "../../../manifests/install/kept-values.ts";
import { resolveValues } from "../../../manifests/install/profiles.ts";
import type { ConfigMap, KubeObject } from "../../../manifests/kube-objects.ts";
import { MESH_NAMESPACE } from "../../../xds/names.ts";
import type { CrdObject, Installation, InstalledObject } from "../cluster-state.ts";
import type { Gathered } from "../gathered.ts";
import type { ClusterQuestions } from "./cluster-questions.ts";

export const CONTROLLER = "controller";

/** Where the control plane is, as its Deployment's label says; where nobody may look for it, its usual place. */
export async function findControlPlane(questions: ClusterQuestions): Promise<string> {
  const all = await questions.list<KubeObject>({ apiVersion: "apps/v1", kind: "Deployment" }, { labelSelector: INSTALLATION_LABEL });
  const found = "value" in all ? all.value.find((each) => each.metadata.name === CONTROLLER) : undefined;
  return found?.metadata.namespace ?? MESH_NAMESPACE;
}

export interface ExpectedInstallation extends Omit<Installation, "objects"> {
  readonly objects: readonly KubeObject[];
}

/** By the values that the cluster keeps; without any, or with broken ones, by the defaults. */
export async function expectInstallation(questions: ClusterQuestions, namespace: string): Promise<ExpectedInstallation> {
  const kept = await questions.get<ConfigMap>({ apiVersion: "v1", kind: "ConfigMap", namespace, name: VALUES_CONFIG_MAP });
  const values = "value" in kept && kept.value !== undefined ? readKeptValues(kept.value) : { layer: {}, problems: [] };
  const resolved = resolveValues([{ namespace }, ...(values.problems.length > 0 ? [] : [values.layer])]);
  return {
    namespace,
    problems: "value" in kept ? { value: [...values.problems, ...resolved.problems] } : kept,
    crds: customResourceDefinitions() as unknown as CrdObject[],
    objects: controlPlaneObjects(resolved),
  };
}

export async function lookForObjects(questions: ClusterQuestions, { objects, ...rest }: ExpectedInstallation): Promise<Installation> {
  const found = objects.map(async ({ apiVersion, kind, metadata }): Promise<InstalledObject> => {
    const { name = "", namespace } = metadata;
    const answer = await questions.get<KubeObject>({ apiVersion, kind, name, namespace });
    const isThere: Gathered<boolean> = "value" in answer ? { value: answer.value !== undefined } : answer;
    return { kind, name, namespace, isThere };
  });
  return { ...rest, objects: await Promise.all(found) };
}
