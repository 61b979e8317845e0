// Fields that Kubernetes itself knows of the objects that the local mesh runs (API 1.34). A name that is not among them
// is a slip of the pen, which the API server would point out: here `up` does.
import { closestWord } from "../../common/closest-word.ts";
import type { FieldPath } from "../../common/yaml.ts";

const words = (text: string): readonly string[] => text.trim().split(/\s+/);

const OBJECT = words("apiVersion kind metadata spec status");
const DEPLOYMENT_SPEC = words("replicas selector template strategy minReadySeconds revisionHistoryLimit paused progressDeadlineSeconds");
const POD_SPEC = words(`
  volumes initContainers containers ephemeralContainers restartPolicy terminationGracePeriodSeconds activeDeadlineSeconds
  dnsPolicy nodeSelector serviceAccountName serviceAccount automountServiceAccountToken nodeName hostNetwork hostPID hostIPC
  shareProcessNamespace securityContext imagePullSecrets hostname subdomain affinity schedulerName tolerations hostAliases
  priorityClassName priority dnsConfig readinessGates runtimeClassName enableServiceLinks preemptionPolicy overhead
  topologySpreadConstraints setHostnameAsFQDN os hostUsers schedulingGates resourceClaims resources hostnameOverride`);
const CONTAINER = words(`
  name image command args workingDir ports envFrom env resources resizePolicy restartPolicy restartPolicyRules volumeMounts
  volumeDevices livenessProbe readinessProbe startupProbe lifecycle terminationMessagePath terminationMessagePolicy
  imagePullPolicy securityContext stdin stdinOnce tty`);
const PROBE = words(`
  exec httpGet tcpSocket grpc initialDelaySeconds timeoutSeconds periodSeconds successThreshold failureThreshold
  terminationGracePeriodSeconds`);
const SERVICE_SPEC = words(`
  ports selector clusterIP clusterIPs type externalIPs sessionAffinity loadBalancerIP loadBalancerSourceRanges externalName
  externalTrafficPolicy healthCheckNodePort publishNotReadyAddresses sessionAffinityConfig ipFamilies ipFamilyPolicy
  allocateLoadBalancerNodePorts loadBalancerClass internalTrafficPolicy trafficDistribution`);
const SERVICE_PORT = words("name protocol appProtocol port targetPort nodePort");

export interface UnknownField {
  readonly path: FieldPath;
  /** `spec.replicaz: unknown field; did you mean "replicas"?` */
  readonly message: string;
}

/** The first field that Kubernetes does not know; undefined for none, and for kinds that are not run here. */
export function findUnknownField(value: unknown, kind: string): UnknownField | undefined {
  for (const [path, known] of places(value, kind)) {
    const found = Object.keys(at(value, path) ?? {}).find((field) => !known.includes(field));
    if (found === undefined) continue;
    const near = closestWord(found, known);
    const name = [...path, found].reduce<string>(
      (text, step) => text + (typeof step === "number" ? `[${step}]` : `${text && "."}${step}`),
      "",
    );
    return { path: [...path, found], message: `${name}: unknown field${near === undefined ? "" : `; did you mean "${near}"?`}` };
  }
  return undefined;
}

function places(value: unknown, kind: string): readonly (readonly [FieldPath, readonly string[]])[] {
  switch (kind) {
    case "Deployment":
      return [
        [[], OBJECT],
        [["spec"], DEPLOYMENT_SPEC],
        [
          ["spec", "template"],
          ["metadata", "spec"],
        ],
        ...podPlaces(value, ["spec", "template", "spec"]),
      ];
    case "Pod":
      return [[[], OBJECT], ...podPlaces(value, ["spec"])];
    case "Service":
      return [[[], OBJECT], [["spec"], SERVICE_SPEC], ...each(value, ["spec", "ports"]).map((path) => [path, SERVICE_PORT] as const)];
    default:
      return [];
  }
}

function podPlaces(value: unknown, spec: FieldPath): readonly (readonly [FieldPath, readonly string[]])[] {
  const containers = ["initContainers", "containers"].flatMap((list) => each(value, [...spec, list]));
  const probes = containers.flatMap((path) => ["livenessProbe", "readinessProbe", "startupProbe"].map((probe) => [...path, probe]));
  return [[spec, POD_SPEC], ...containers.map((path) => [path, CONTAINER] as const), ...probes.map((path) => [path, PROBE] as const)];
}

/** Paths of a list's items. */
function each(value: unknown, path: FieldPath): readonly FieldPath[] {
  const list = at(value, path);
  return Array.isArray(list) ? list.map((_, index) => [...path, index]) : [];
}

function at(value: unknown, path: FieldPath): object | undefined {
  let found: unknown = value;
  for (const step of path)
    found = typeof found === "object" && found !== null ? (found as Record<string | number, unknown>)[step] : undefined;
  return typeof found === "object" && found !== null ? found : undefined;
}
