// What the injector works with in an installation with default values.
import type { InjectionValues } from "../../../src/manifests/injected-containers.ts";
import { DEFAULT_RESOURCES } from "../../../src/manifests/sidecar-annotations.ts";

/** Without resources for the sidecar: a pod that comes out is shorter. */
export const VALUES: InjectionValues = {
  image: "meshctl",
  discoveryAddress: "controller.mesh-system.svc:15012",
  caAddress: "controller.mesh-system.svc:15012",
  trustDomain: "cluster.local",
  clusterDomain: "cluster.local",
  clusterId: "Kubernetes",
  meshId: "cluster.local",
  dnsCapture: true,
  nativeSidecar: true,
};

export const SIZED_VALUES: InjectionValues = { ...VALUES, resources: DEFAULT_RESOURCES };
