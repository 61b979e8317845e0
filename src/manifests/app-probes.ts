// Probes and lifecycle handlers of the application, which kubelet calls from outside the mesh: those that connect are
// replaced by paths of the sidecar's port 15020, which carries them out inside the pod.
import { Port, StatusPath } from "../xds/names.ts";
import type { Container, PodTemplate, Probe } from "./kube-objects.ts";

const HANDLERS = ["httpGet", "tcpSocket", "grpc"] as const;
type HandlerKind = (typeof HANDLERS)[number];

/** HTTPGetAction, TCPSocketAction and GRPCAction of Kubernetes. */
const FIELDS: Readonly<Record<HandlerKind, readonly string[]>> = {
  httpGet: ["path", "port", "host", "scheme", "httpHeaders"],
  tcpSocket: ["port", "host"],
  grpc: ["port", "service"],
};
const TEXT_FIELDS: readonly string[] = ["path", "host", "scheme", "service"];

/** One entry of a probe or lifecycle handler that becomes an `httpGet`. */
export interface HandlerReplacement {
  /** Of the map that has the entry, from the pod; members of lists by name. */
  readonly path: readonly string[];
  readonly was: HandlerKind;
  readonly value: { readonly path: string; readonly port: number };
}

export interface RewrittenHandlers {
  readonly replacements: readonly HandlerReplacement[];
  /** What the sidecar is told: path → what is to be asked. */
  readonly probers: Readonly<Record<string, object>>;
  readonly warnings: readonly string[];
}

const PLACES = [
  { path: ["readinessProbe"], isProbe: true, prefix: StatusPath.appHealth, end: "readyz" },
  { path: ["livenessProbe"], isProbe: true, prefix: StatusPath.appHealth, end: "livez" },
  { path: ["startupProbe"], isProbe: true, prefix: StatusPath.appHealth, end: "startupz" },
  { path: ["lifecycle", "preStop"], isProbe: false, prefix: StatusPath.appLifecycle, end: "prestopz" },
  { path: ["lifecycle", "postStart"], isProbe: false, prefix: StatusPath.appLifecycle, end: "poststartz" },
] as const;

// Kubernetes' default of a probe's timeoutSeconds.
const TIMEOUT_SECONDS = 1;

/** Of all containers that may have any: native sidecars of others are among them, plain init containers are not. */
export function rewriteHandlers({ spec }: PodTemplate): RewrittenHandlers {
  const replacements: HandlerReplacement[] = [];
  const probers: Record<string, object> = {};
  const warnings: string[] = [];
  const sidecars = (spec.initContainers ?? []).filter((each) => each.restartPolicy === "Always");
  for (const [field, containers] of [["initContainers", sidecars] as const, ["containers", spec.containers] as const]) {
    for (const container of containers) {
      for (const { path, isProbe, prefix, end } of PLACES) {
        const probe = fieldAt(container, path);
        const was = HANDLERS.find((each) => isObject(probe?.[each]));
        if (probe === undefined || was === undefined) continue;
        const resolved = resolve(container, was, probe[was] as Readonly<Record<string, unknown>>);
        const where = `container ${container.name}: ${path.join(".")}.${was}`;
        if (typeof resolved === "string") {
          warnings.push(`${where}: ${resolved}; it is left as it is`);
          continue;
        }
        // Somebody wrote it for the sidecar.
        if (resolved.port === Port.mergedMetrics || resolved.port === Port.ready) continue;
        const target = `${prefix}/${container.name}/${end}`;
        replacements.push({
          path: ["spec", field, container.name, ...path],
          was,
          value: { path: target, port: Port.mergedMetrics },
        });
        probers[target] = { [was]: resolved, ...(isProbe ? { timeoutSeconds: seconds(probe) } : {}) };
      }
    }
  }
  return { replacements, probers, warnings };
}

function fieldAt(container: Container, path: readonly string[]): Readonly<Record<string, unknown>> | undefined {
  let at: unknown = container;
  for (const step of path) at = isObject(at) ? at[step] : undefined;
  return isObject(at) ? at : undefined;
}

function seconds({ timeoutSeconds }: Probe): number {
  return typeof timeoutSeconds === "number" && timeoutSeconds > 0 ? timeoutSeconds : TIMEOUT_SECONDS;
}

/** With its port as a number, or why that can't be. */
function resolve(
  container: Container,
  kind: HandlerKind,
  handler: Readonly<Record<string, unknown>>,
): (Readonly<Record<string, unknown>> & { readonly port: number }) | string {
  const port = portNumber(container, handler["port"]);
  if (port === undefined) return `${JSON.stringify(handler["port"])} is no port of this container`;
  const given = Object.entries(handler).filter(([, value]) => value !== null && value !== undefined);
  // In the sidecar's environment nobody would see it again: the API server shall find it where it was written.
  const unknown = given.find(([field]) => !FIELDS[kind].includes(field));
  if (unknown !== undefined) return `there is no field ${unknown[0]}`;
  const noText = given.find(([field, value]) => TEXT_FIELDS.includes(field) && typeof value !== "string");
  if (noText !== undefined) return `its ${noText[0]} ${JSON.stringify(noText[1])} is no text`;
  if (kind === "httpGet") {
    const headers: unknown = handler["httpHeaders"] ?? [];
    const isSound = (each: unknown): boolean =>
      isObject(each) && isText(each["name"], /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/) && isText(each["value"] ?? "", /^[^\r\n\0]*$/);
    if (!Array.isArray(headers) || !headers.every(isSound)) return "one of its httpHeaders is no header (RFC 9110 §5)";
    if (!["HTTP", "HTTPS"].includes((handler["scheme"] as string | undefined) ?? "HTTP")) return "scheme is neither HTTP nor HTTPS";
  }
  return { ...Object.fromEntries(given), port };
}

/** As kubelet finds it: a number, the name of one of the container's ports, or a text of digits. */
function portNumber({ ports }: Container, port: unknown): number | undefined {
  const named: unknown = Array.isArray(ports)
    ? (ports as readonly unknown[]).filter(isObject).find((each) => each["name"] === port)?.["containerPort"]
    : undefined;
  const number = typeof port === "string" ? (named ?? (/^\d{1,5}$/.test(port) ? Number(port) : undefined)) : port;
  return typeof number === "number" && Number.isInteger(number) && number > 0 && number < 65_536 ? number : undefined;
}

function isText(value: unknown, pattern: RegExp): boolean {
  return typeof value === "string" && pattern.test(value);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
