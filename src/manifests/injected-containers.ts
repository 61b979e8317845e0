// What injection adds to a pod: the container that captures its traffic, the sidecar, and their volumes.
import { Env, PodPath, Port, PROXY_GID, PROXY_UID, StatusPath, TOKEN_AUDIENCE } from "../xds/names.ts";
import type { Container, EnvVar, LifecycleHandler, PodTemplate, Volume, VolumeMount } from "./kube-objects.ts";
import type { SidecarResources } from "./sidecar-annotations.ts";

export interface InjectionValues {
  /** Image whose entry point is `meshctl`. */
  readonly image: string;
  /** host:port of the control plane's TLS port, for xDS and for certificates. */
  readonly discoveryAddress: string;
  readonly caAddress: string;
  readonly trustDomain: string;
  readonly clusterDomain: string;
  readonly clusterId: string;
  readonly meshId: string;
  /** Captures DNS and answers it in the sidecar. */
  readonly dnsCapture: boolean;
  /** `none`: names outside the mesh don't exist. Absent: the pod's own resolver is asked. */
  readonly dnsUpstream?: "none";
  /** The sidecar as an init container with restartPolicy Always (Kubernetes 1.29 and newer), or as a plain container. */
  readonly nativeSidecar: boolean;
  /** Of both containers, where the pod's annotations give none; absent where nobody enforces them. */
  readonly resources?: SidecarResources;
}

export interface Workload {
  readonly namespace: string;
  /** The controlling object, such as Deployment checkout. */
  readonly kind: string;
  readonly name: string;
}

export const INIT_CONTAINER = "meshctl-init";
export const PROXY_CONTAINER = "meshctl-proxy";
/** ConfigMap that the control plane keeps in every namespace: the roots to trust when first calling it. */
export const ROOT_CERTIFICATE_CONFIG_MAP = "meshctl-root-cert";
const TOKEN_VOLUME = "meshctl-token";
const ROOT_VOLUME = "meshctl-root-cert";
const POD_INFO_VOLUME = "meshctl-podinfo";

/** Pod Security "restricted" asks for it. */
const SECCOMP = { seccompProfile: { type: "RuntimeDefault" } } as const;

function parent(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}

function fileName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

export function initContainer(values: InjectionValues, captureFlags: readonly string[]): Container {
  const ids = ["-p", `${Port.outbound}`, "-z", `${Port.inbound}`, "-u", `${PROXY_UID}`, "-g", `${PROXY_GID}`, "-m", "REDIRECT"];
  return {
    name: INIT_CONTAINER,
    image: values.image,
    args: ["init", ...ids, ...captureFlags, ...(values.dnsCapture ? ["--redirect-dns"] : [])],
    securityContext: {
      ...SECCOMP,
      runAsUser: 0,
      runAsGroup: 0,
      runAsNonRoot: false,
      privileged: false,
      allowPrivilegeEscalation: false,
      capabilities: { add: ["NET_ADMIN", "NET_RAW"], drop: ["ALL"] },
    },
  };
}

function field(name: string, fieldPath: string): EnvVar {
  return { name, valueFrom: { fieldRef: { fieldPath } } };
}

const OWNER_API: Readonly<Record<string, string>> = {
  Deployment: "apis/apps/v1",
  ReplicaSet: "apis/apps/v1",
  StatefulSet: "apis/apps/v1",
  DaemonSet: "apis/apps/v1",
  Job: "apis/batch/v1",
  CronJob: "apis/batch/v1",
  ReplicationController: "api/v1",
  Pod: "api/v1",
};

function ownerUrl(workload: Workload): string {
  const api = OWNER_API[workload.kind] ?? "apis/apps/v1";
  return `kubernetes://${api}/namespaces/${workload.namespace}/${workload.kind.toLowerCase()}s/${workload.name}`;
}

/** kubelet takes `$(NAME)` and `$$` in a container's environment for its own. */
function environmentJson(value: unknown): string {
  return JSON.stringify(value).replaceAll("$", "\\u0024");
}

function sidecarEnvironment(values: InjectionValues, pod: PodTemplate, workload: Workload): EnvVar[] {
  const ports = pod.spec.containers.flatMap((container) => container.ports ?? []);
  return [
    field(Env.podName, "metadata.name"),
    field(Env.podNamespace, "metadata.namespace"),
    field(Env.instanceIp, "status.podIP"),
    field(Env.instanceIps, "status.podIPs"),
    field(Env.serviceAccount, "spec.serviceAccountName"),
    field(Env.nodeName, "spec.nodeName"),
    { name: Env.workloadName, value: workload.name },
    { name: Env.owner, value: ownerUrl(workload) },
    { name: Env.clusterId, value: values.clusterId },
    { name: Env.meshId, value: values.meshId },
    { name: Env.appContainers, value: pod.spec.containers.map((container) => container.name).join(",") },
    { name: Env.podPorts, value: environmentJson(ports) },
    { name: Env.trustDomain, value: values.trustDomain },
    { name: Env.discoveryAddress, value: values.discoveryAddress },
    { name: Env.caAddress, value: values.caAddress },
  ];
}

/** What a pod asks of its sidecar, beyond the values that hold for all. */
export interface SidecarRequest {
  /** More flags of `meshctl proxy`. */
  readonly flags: readonly string[];
  /** See Env.appProbers and Env.scrapeTargets; empty ones are not written. */
  readonly probers: Readonly<Record<string, object>>;
  readonly scrapeTargets: readonly object[];
  readonly readiness: Readonly<Record<string, number>>;
  readonly volumeMounts: readonly VolumeMount[];
  /** A plain sidecar's: the containers behind it start when it is ready. */
  readonly holdsApplication: boolean;
}

export function sidecarContainer(values: InjectionValues, pod: PodTemplate, workload: Workload, request: SidecarRequest): Container {
  const ready = { path: StatusPath.ready, port: Port.ready };
  const { probers, scrapeTargets } = request;
  return {
    name: PROXY_CONTAINER,
    image: values.image,
    args: [
      "proxy",
      "sidecar",
      "--domain",
      `$(${Env.podNamespace}).svc.${values.clusterDomain}`,
      ...(values.dnsUpstream === undefined ? [] : ["--dns-upstream", values.dnsUpstream]),
      // A native one is told to end when the application has ended.
      ...(values.nativeSidecar ? [] : ["--outlive-app"]),
      ...request.flags,
    ],
    env: [
      ...sidecarEnvironment(values, pod, workload),
      ...(Object.keys(probers).length === 0 ? [] : [{ name: Env.appProbers, value: environmentJson(probers) }]),
      ...(scrapeTargets.length === 0 ? [] : [{ name: Env.scrapeTargets, value: environmentJson(scrapeTargets) }]),
    ],
    ports: [{ name: "http-envoy-prom", containerPort: Port.prometheus, protocol: "TCP" }],
    readinessProbe: { httpGet: ready, periodSeconds: 15, timeoutSeconds: 3, failureThreshold: 4, ...request.readiness },
    startupProbe: { httpGet: ready, periodSeconds: 1, timeoutSeconds: 3, failureThreshold: 600 },
    ...sidecarLifecycle(values, request),
    ...(values.nativeSidecar ? { restartPolicy: "Always" } : {}),
    securityContext: {
      ...SECCOMP,
      runAsUser: PROXY_UID,
      runAsGroup: PROXY_GID,
      runAsNonRoot: true,
      privileged: false,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    },
    volumeMounts: [
      { name: TOKEN_VOLUME, mountPath: parent(PodPath.token), readOnly: true },
      { name: ROOT_VOLUME, mountPath: parent(PodPath.rootCertificate), readOnly: true },
      { name: POD_INFO_VOLUME, mountPath: parent(PodPath.podInfoLabels), readOnly: true },
      ...request.volumeMounts,
    ],
  };
}

/**
 * kubelet calls a native sidecar's preStop when the pod begins to end, long before its SIGTERM: clients go elsewhere
 * while the application still answers. And a container's postStart holds back the containers behind it.
 */
function sidecarLifecycle({ nativeSidecar }: InjectionValues, { holdsApplication }: SidecarRequest): Pick<Container, "lifecycle"> {
  const run = (role: string): LifecycleHandler => ({ exec: { command: ["meshctl", "proxy", role] } });
  if (nativeSidecar) return { lifecycle: { preStop: run("drain") } };
  return holdsApplication ? { lifecycle: { postStart: run("wait") } } : {};
}

export function sidecarVolumes(): Volume[] {
  const token = { audience: TOKEN_AUDIENCE, expirationSeconds: 43_200, path: fileName(PodPath.token) };
  return [
    { name: TOKEN_VOLUME, projected: { sources: [{ serviceAccountToken: token }] } },
    {
      name: ROOT_VOLUME,
      configMap: { name: ROOT_CERTIFICATE_CONFIG_MAP, items: [{ key: "root-cert.pem", path: fileName(PodPath.rootCertificate) }] },
    },
    {
      name: POD_INFO_VOLUME,
      downwardAPI: { items: [{ path: fileName(PodPath.podInfoLabels), fieldRef: { fieldPath: "metadata.labels" } }] },
    },
  ];
}
