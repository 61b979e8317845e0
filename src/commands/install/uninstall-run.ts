// Prints what kubectl should delete.
import type { CommandContext } from "../../cli/command.ts";
import { UserError } from "../../common/user-error.ts";
import { AUTHORITY_SECRET } from "../../manifests/install/controller-permissions.ts";
import { INSTALLATION_LABEL } from "../../manifests/install/installation-label.ts";
import { CRD, NAMESPACE } from "../../manifests/install/installed-kinds.ts";
import type { KubeObject } from "../../manifests/kube-objects.ts";
import { deletionList } from "./deletion-list.ts";
import { listInstalled } from "./live/find-installation.ts";
import { meshedPods } from "./live/meshed-pods.ts";
import { openCluster } from "./live/open-cluster.ts";
import type { Cluster } from "./live/open-cluster.ts";
import { countUsersObjects, describeCounts } from "./live/users-objects.ts";

/** Of pods in a message; more are counted. */
const NAMED = 50;

export async function run(context: CommandContext): Promise<void> {
  const { options, stdout, stderr } = context;
  const cluster = await openCluster(context);
  try {
    const [installed, pods] = await Promise.all([listInstalled(cluster), meshedPods(cluster)]);
    if (pods.length > 0 && options["force"] !== true) throw podsRemain(pods);
    const kept = await keptObjects(cluster, installed, options["crds"] === true, (line) => void stderr.write(`${line}\n`));
    const deleted = installed.filter((each) => !kept.has(each));
    if (pods.length > 0)
      stderr.write(`${pods.length} ${pods.length === 1 ? "pod" : "pods"} with sidecars will be without a control plane\n`);
    if (deleted.length === 0)
      stderr.write(`nothing of meshctl's to delete in the cluster of context ${cluster.connection.getCurrentContext()}\n`);
    for (const each of deleted.filter(({ kind }) => kind === NAMESPACE.kind)) await tellForeignAuthority(cluster, each, stderr);
    stdout.write(deletionList(deleted));
  } finally {
    cluster.connection.close();
  }
}

/** CRDs stay unless they are asked for, and so do users' objects in the namespace of the control plane. */
async function keptObjects(
  cluster: Cluster,
  installed: readonly KubeObject[],
  withCrds: boolean,
  tell: (line: string) => void,
): Promise<ReadonlySet<KubeObject>> {
  const crds = installed.filter(({ kind }) => kind === CRD.kind);
  if (withCrds) {
    for (const { kind, count } of await countUsersObjects(cluster, crds, undefined))
      tell(`CustomResourceDefinition ${kind}: ${count} ${count === 1 ? "object goes" : "objects go"} with it`);
    return new Set();
  }
  if (crds.length > 0) tell(`${crds.length} CustomResourceDefinitions stay, and every object of theirs (--crds deletes them, too)`);
  const kept = new Set(crds);
  for (const namespace of installed.filter(({ kind }) => kind === NAMESPACE.kind)) {
    const name = namespace.metadata.name ?? "";
    const counts = describeCounts(await countUsersObjects(cluster, crds, name));
    if (counts === "") continue;
    kept.add(namespace);
    tell(`namespace ${name} stays, because objects of yours are in it: ${counts}; kubectl delete namespace ${name} deletes them with it`);
  }
  return kept;
}

/** A CA that somebody has brought carries no label of ours, and is lost with the namespace all the same. */
async function tellForeignAuthority({ objects }: Cluster, { metadata }: KubeObject, stderr: CommandContext["stderr"]): Promise<void> {
  const { name: namespace = "" } = metadata;
  const secret = (await objects.get({ apiVersion: "v1", kind: "Secret", namespace, name: AUTHORITY_SECRET })) as KubeObject | undefined;
  if (secret === undefined || secret.metadata.labels?.[INSTALLATION_LABEL] !== undefined) return;
  stderr.write(`Secret ${namespace}/${AUTHORITY_SECRET} is not meshctl's, but goes with its namespace: keep a copy of that CA\n`);
}

function podsRemain(pods: readonly string[]): UserError {
  const more = pods.length > NAMED ? [`  and ${pods.length - NAMED} more`] : [];
  const head = `${pods.length} ${pods.length === 1 ? "pod still has a sidecar, which needs" : "pods still have sidecars, which need"} the control plane:`;
  return new UserError(
    [head, ...pods.slice(0, NAMED).map((each) => `  ${each}`), ...more].join("\n"),
    "take their namespaces' labels and `meshctl inject`'s changes back and restart them; --force uninstalls all the same",
  );
}
