// The Kubernetes source on a real API server: the suite that all sources run.
import { after, before } from "node:test";
import { REAL, SKIPPED } from "../support/kubernetes/assets.ts";
import { applyInstallation } from "../support/kubernetes/installation.ts";
import { realClusterBed } from "../support/kubernetes/real-cluster-bed.ts";
import { RealCluster } from "../support/kubernetes/real-cluster.ts";
import { sourceSuite } from "../support/source-suite.ts";

let cluster: RealCluster;
before(async () => {
  if (SKIPPED !== undefined) return;
  cluster = await RealCluster.start();
  await applyInstallation(cluster, "--crds");
});
after(async () => cluster?.stop());

sourceSuite("the Kubernetes source on a real API server", () => realClusterBed(cluster), { withinMs: 20_000, ...REAL });
