// What the injector is told in a local mesh; the flags and names of a cluster's pods otherwise.
import type { InjectionValues } from "../../manifests/injected-containers.ts";
import { DEFAULT_CLUSTER_DOMAIN, DEFAULT_TRUST_DOMAIN, Port } from "../../xds/names.ts";
import { MESH_IMAGE } from "../pod/container-spec.ts";
import { CLUSTER_ID, CONTROLLER_HOST } from "../controller-process.ts";

export const LOCAL_INJECTION: InjectionValues = {
  image: MESH_IMAGE,
  discoveryAddress: `${CONTROLLER_HOST}:${Port.xdsSecure}`,
  caAddress: `${CONTROLLER_HOST}:${Port.xdsSecure}`,
  trustDomain: DEFAULT_TRUST_DOMAIN,
  clusterDomain: DEFAULT_CLUSTER_DOMAIN,
  clusterId: CLUSTER_ID,
  meshId: "local",
  dnsCapture: true,
  dnsUpstream: "none",
  nativeSidecar: true,
};
