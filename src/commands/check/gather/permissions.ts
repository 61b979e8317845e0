// What `meshctl install | kubectl apply` needs to be allowed, and whether this user is.
import type { KubeObject } from "../../../manifests/kube-objects.ts";
import { fromThrown } from "../../../kube/api-error.ts";
import type { Permission, PermissionAnswer } from "../cluster-state.ts";
import type { Gathered } from "../gathered.ts";
import { whyMissing, type ClusterQuestions } from "./cluster-questions.ts";

/** What kubectl apply does with each object. */
const VERBS = ["get", "create", "patch"] as const;
/** Requests at a time. */
const AT_ONCE = 16;

interface Rule {
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly verbs: readonly string[];
}

type Needed = Omit<PermissionAnswer, "isAllowed">;

export async function askPermissions(
  questions: ClusterQuestions,
  objects: readonly KubeObject[],
): Promise<Gathered<readonly PermissionAnswer[]>> {
  try {
    const everything: Permission = { verb: "*", group: "*", resource: "*", namespace: undefined };
    const isAdmin = await questions.mayI(everything);
    const needed = [...(await forObjects(questions, objects)), ...(await forGrants(questions, objects, isAdmin))];
    if (isAdmin) return { value: needed.map((each) => ({ ...each, isAllowed: true })) };
    const answers: PermissionAnswer[] = [];
    for (let first = 0; first < needed.length; first += AT_ONCE) {
      const some = needed.slice(first, first + AT_ONCE);
      answers.push(...(await Promise.all(some.map(async (each) => ({ ...each, isAllowed: await questions.mayI(each.permission) })))));
    }
    return { value: answers };
  } catch (error) {
    const permission: Permission = {
      verb: "create",
      group: "authorization.k8s.io",
      resource: "selfsubjectaccessreviews",
      namespace: undefined,
    };
    return { missing: whyMissing(fromThrown(error), permission) };
  }
}

async function forObjects(questions: ClusterQuestions, objects: readonly KubeObject[]): Promise<Needed[]> {
  const needed = new Map<string, Needed>();
  for (const { apiVersion, kind, metadata } of objects) {
    const resource = await questions.resourceOf({ apiVersion, kind });
    if (resource === undefined) continue;
    const group = apiVersion.includes("/") ? apiVersion.split("/", 1)[0]! : "";
    const namespace = resource.isNamespaced ? metadata.namespace : undefined;
    for (const verb of VERBS) {
      const permission: Permission = { verb, group, resource: resource.plural, namespace };
      needed.set(JSON.stringify(permission), { permission, purpose: namespace === undefined ? "cluster" : "namespace" });
    }
  }
  return [...needed.values()];
}

/** Nobody can give what they don't have, but for who may `escalate`. */
async function forGrants(questions: ClusterQuestions, objects: readonly KubeObject[], isAdmin: boolean): Promise<Needed[]> {
  const rbac = "rbac.authorization.k8s.io";
  const roles = objects.filter((each) => each.kind === "ClusterRole" || each.kind === "Role");
  const needed = new Map<string, Needed>();
  for (const role of roles) {
    const namespace = role.kind === "Role" ? role.metadata.namespace : undefined;
    const escalate: Permission = { verb: "escalate", group: rbac, resource: `${role.kind.toLowerCase()}s`, namespace };
    if (isAdmin || (await questions.mayI(escalate))) continue;
    for (const { apiGroups = [], resources = [], verbs } of (role as unknown as { rules: readonly Rule[] }).rules)
      for (const group of apiGroups)
        for (const resource of resources)
          for (const verb of verbs) {
            const permission: Permission = { verb, group, resource, namespace };
            needed.set(JSON.stringify(permission), { permission, purpose: "grant" });
          }
  }
  return [...needed.values()];
}
