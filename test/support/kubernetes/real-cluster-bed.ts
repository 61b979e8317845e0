// The real API server as a bed for the suite that all sources run: objects as its YAML has them, made whole to what the
// server asks of them.
import { systemClock } from "../../../src/common/clock.ts";
import { createLog } from "../../../src/common/log.ts";
import { KubernetesSource } from "../../../src/control-plane/sources/kubernetes-source.ts";
import { WATCHED_KINDS } from "../../../src/control-plane/sources/kubernetes-kinds.ts";
import type { ClusterConnection } from "../../../src/kube/cluster-connection.ts";
import { KubeObjects } from "../../../src/kube/objects.ts";
import type { ObjectDraft } from "../../../src/kube/objects.ts";
import type { Manifest, SourceBed } from "../source-beds.ts";
import { deleteAll, playNamespace, playServiceAccount } from "./played-controllers.ts";
import type { RealCluster } from "./real-cluster.ts";
import { TEST_SETTINGS } from "../mesh-from-yaml.ts";

const BY = { fieldManager: "test", force: true };

export async function realClusterBed(cluster: RealCluster): Promise<SourceBed> {
  const admin = cluster.connect();
  const objects = new KubeObjects({ connection: admin, clock: systemClock });
  const log = createLog({ level: "error", format: "text", stream: process.stderr });
  return {
    source: new KubernetesSource({ connection: cluster.connect(), clock: systemClock, log, rootNamespace: TEST_SETTINGS.rootNamespace }),
    async put(manifest) {
      const object = completed(manifest);
      const { namespace } = object.metadata;
      if (namespace !== undefined) await playNamespace(objects, namespace);
      const { serviceAccountName } = (object["spec"] ?? {}) as { serviceAccountName?: string };
      if (serviceAccountName !== undefined) await playServiceAccount(objects, namespace ?? "", serviceAccountName);
      await objects.serverSideApply(object, BY);
      if (object["status"] !== undefined) await objects.serverSideApply(statusOnly(object), { ...BY, subresource: "status" });
    },
    async remove(manifest) {
      const { apiVersion, kind, metadata } = manifest as ObjectDraft & Manifest;
      await objects.delete({ apiVersion, kind, ...metadata });
    },
    close: () => removeAll(admin, objects),
  };
}

function completed(manifest: Manifest): ObjectDraft {
  const object = manifest as unknown as ObjectDraft;
  const { containers, clusterIPs, ...spec } = (object["spec"] ?? {}) as { containers?: readonly object[]; clusterIPs?: readonly string[] };
  if (object.kind === "Pod") {
    const images = (containers ?? [{ name: "app" }]).map((each) => ({ image: "none", ...each }));
    return { ...object, spec: { ...spec, containers: images } };
  }
  if (object.kind !== "Service" || clusterIPs === undefined) return object;
  return { ...object, spec: { clusterIP: clusterIPs[0], clusterIPs, ipFamilyPolicy: "RequireDualStack", ...spec } };
}

function statusOnly({ apiVersion, kind, metadata: { name, namespace }, status }: ObjectDraft): ObjectDraft {
  return {
    apiVersion,
    kind,
    metadata: { ...(name === undefined ? {} : { name }), ...(namespace === undefined ? {} : { namespace }) },
    status,
  };
}

/** Whatever a source reads, but the server's own. */
async function removeAll(admin: ClusterConnection, objects: KubeObjects): Promise<void> {
  const namespaces = ((await objects.list({ apiVersion: "v1", kind: "Namespace" })) ?? [])
    .map((each) => each.metadata.name)
    .filter((name) => name !== "default" && !name.startsWith("kube-"));
  for (const { group, versions, kind } of WATCHED_KINDS) {
    const apiVersion = [group, versions[0]].filter((each) => each !== "").join("/");
    if (kind === "Node") await deleteAll(admin, { apiVersion, kind }, undefined);
    else if (kind !== "Namespace") for (const name of namespaces) await deleteAll(admin, { apiVersion, kind }, name);
  }
}
