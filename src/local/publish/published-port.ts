// --publish SERVICE:PORT[:HOSTPORT]: what it means, which Service it names, and the client pod it enters through.
import { USAGE_EXIT_CODE, UserError } from "../../common/user-error.ts";
import type { Service, PodTemplate } from "../../manifests/kube-objects.ts";
import { MESH_NAMESPACE } from "../../xds/names.ts";
import { MESH_IMAGE } from "../pod/container-spec.ts";
import type { PublishedPort } from "../run-folder.ts";

export interface PublishRequest {
  readonly service: string;
  /** Undefined: the only Service of that name, wherever it is. */
  readonly namespace: string | undefined;
  readonly port: number;
  /** 0: any free port. */
  readonly hostPort: number;
}

export const INGRESS_NAME = "meshctl-ingress";
/** The forwarder in the ingress pod listens from here on, on loopback: one port for each published one. */
const FIRST_FORWARD_PORT = 18_000;

const FORMAT =
  /^(?<service>[a-z0-9]([-a-z0-9]*[a-z0-9])?)(\.(?<namespace>[a-z0-9]([-a-z0-9]*[a-z0-9])?)(\.svc(\.cluster\.local)?)?)?:(?<port>\d{1,5})(:(?<hostPort>\d{1,5}))?$/;

/** @throws UserError for anything that isn't SERVICE[.NAMESPACE]:PORT[:HOSTPORT]. */
export function parsePublish(text: string): PublishRequest {
  const groups = FORMAT.exec(text)?.groups;
  const port = Number(groups?.["port"]);
  const hostPort = Number(groups?.["hostPort"] ?? port);
  if (groups === undefined || port < 1 || port > 65535 || hostPort > 65535) {
    throw new UserError(`--publish ${text}: not SERVICE:PORT[:HOSTPORT]`, "such as frontend:80:8080, or frontend.shop:80", USAGE_EXIT_CODE);
  }
  return { service: groups["service"] ?? "", namespace: groups["namespace"], port, hostPort };
}

/** Finds the Service. @throws UserError that lists what there is. */
export function resolvePublish(request: PublishRequest, services: readonly Service[]): Omit<PublishedPort, "hostPort"> {
  const name = request.namespace === undefined ? request.service : `${request.service}.${request.namespace}`;
  const named = services.filter(
    (service) => service.metadata.name === request.service && (request.namespace ?? namespaceOf(service)) === namespaceOf(service),
  );
  const [service, ...others] = named;
  if (service === undefined) {
    const known = services.map((each) => `${each.metadata.name ?? ""}.${namespaceOf(each)}`).join(", ");
    throw new UserError(`--publish: there is no Service ${name}`, known === "" ? "the YAML has no Service" : `Services: ${known}`);
  }
  if (others.length > 0) {
    throw new UserError(
      `--publish: Service ${name} exists in ${named.map(namespaceOf).join(", ")}`,
      `say which: ${request.service}.${namespaceOf(service)}:${request.port}`,
    );
  }
  const ports = (service.spec.ports ?? []).map((each) => each.port);
  if (!ports.includes(request.port)) {
    throw new UserError(`--publish: Service ${name} has no port ${request.port}`, `it has ${ports.join(", ") || "none"}`);
  }
  return { service: request.service, namespace: namespaceOf(service), port: request.port };
}

function namespaceOf(service: Service): string {
  return service.metadata.namespace ?? "default";
}

/** Port of the forwarder, on the ingress pod's loopback, for the published port at this place of the list. */
export function forwardPort(index: number): number {
  return FIRST_FORWARD_PORT + index;
}

/** The client pod: an ordinary app that calls the published Services, so that its sidecar routes and secures the calls. */
export function ingressTemplate(
  published: readonly PublishedPort[],
  clusterDomain: string,
): { readonly namespace: string; readonly template: PodTemplate } {
  const forwards = published.map(
    (each, index) => `${forwardPort(index)}=${each.service}.${each.namespace}.svc.${clusterDomain}:${each.port}`,
  );
  return {
    namespace: MESH_NAMESPACE,
    template: {
      metadata: { labels: { app: INGRESS_NAME } },
      spec: {
        serviceAccountName: INGRESS_NAME,
        containers: [
          {
            name: "forwarder",
            image: MESH_IMAGE,
            args: ["local-forward", ...forwards],
            readinessProbe: { exec: { command: ["true"] } },
            securityContext: { runAsUser: 10_001, allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } },
          },
        ],
      },
    },
  };
}
