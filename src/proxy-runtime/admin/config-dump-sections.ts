// The sections of /config_dump in Envoy's order, made of the resources as they came over xDS.
import { fromBinary } from "@bufbuild/protobuf";
import type { JsonObject } from "@bufbuild/protobuf";
import { BootstrapSchema } from "../../xds/gen/envoy/config/bootstrap/v3/bootstrap_pb.ts";
import { TypeUrl } from "../../xds/names.ts";
import type { ResourceRecord } from "../config/resource-record.ts";
import type { CertificateStatus, ClusterStatus } from "./data-plane-view.ts";
import type { AdminContext } from "./admin-server.ts";

import { dynamicEndpointsJson, staticEndpointsJson } from "./endpoints-dump.ts";
import { anyJson, messageJson } from "./resource-json.ts";

/** A section's list of resources. `type` is the message of an element, for ?resource=. */
interface ResourceList {
  readonly field: string;
  readonly type: string;
  readonly elements: readonly NamedElement[];
}

export interface NamedElement {
  readonly name: string;
  readonly json: () => JsonObject;
}

export interface DumpSection {
  readonly type: string;
  readonly head: JsonObject;
  readonly lists: readonly ResourceList[];
}

/** @param endpointsOf the clusters whose endpoints are shown; undefined: none are. */
export function dumpSections(
  { view, bootstrap, startedAt }: AdminContext,
  endpointsOf: readonly ClusterStatus[] | undefined,
): DumpSection[] {
  const resources = view.resources();
  const version = (typeUrl: string) => view.versions().get(typeUrl) ?? "";
  const of = (typeUrl: string, ...states: ResourceRecord["state"][]) =>
    resources.filter((each) => each.typeUrl === typeUrl && states.includes(each.state)).sort((a, b) => (a.name < b.name ? -1 : 1));
  const clusters = (...states: ResourceRecord["state"][]) => of(TypeUrl.cluster, ...states);
  const secrets = (...states: ResourceRecord["state"][]) => of(TypeUrl.secret, ...states);

  const sections: DumpSection[] = [
    {
      type: "BootstrapConfigDump",
      head: { bootstrap: messageJson(BootstrapSchema, fromBinary(BootstrapSchema, bootstrap())), last_updated: time(startedAt) },
      lists: [],
    },
    {
      type: "ClustersConfigDump",
      head: versionInfo(version(TypeUrl.cluster)),
      lists: [
        list("static_clusters", "ClustersConfigDump.StaticCluster", clusters("static"), (each) => ({
          cluster: resource(each),
          ...updated(each),
        })),
        list("dynamic_active_clusters", "ClustersConfigDump.DynamicCluster", clusters("active"), (each) => versioned("cluster", each)),
        list("dynamic_warming_clusters", "ClustersConfigDump.DynamicCluster", clusters("warming"), (each) => versioned("cluster", each)),
      ],
    },
  ];
  if (endpointsOf !== undefined) {
    const configs = of(TypeUrl.endpoints, "active", "warming", "static");
    sections.push({
      type: "EndpointsConfigDump",
      head: {},
      lists: [
        {
          field: "static_endpoint_configs",
          type: "EndpointsConfigDump.StaticEndpointConfig",
          elements: staticEndpointsJson(endpointsOf),
        },
        list("dynamic_endpoint_configs", "EndpointsConfigDump.DynamicEndpointConfig", configs, (each) => ({
          ...versionInfo(each.version),
          endpoint_config: dynamicEndpointsJson(resource(each)),
          ...updated(each),
        })),
      ],
    });
  }
  sections.push(
    {
      type: "ListenersConfigDump",
      head: versionInfo(version(TypeUrl.listener)),
      lists: [
        list("static_listeners", "ListenersConfigDump.StaticListener", of(TypeUrl.listener, "static"), (each) => ({
          listener: resource(each),
          ...updated(each),
        })),
        list("dynamic_listeners", "ListenersConfigDump.DynamicListener", of(TypeUrl.listener, "active", "warming"), (each) => ({
          name: each.name,
          [each.state === "warming" ? "warming_state" : "active_state"]: {
            ...versionInfo(each.version),
            listener: resource(each),
            ...updated(each),
          },
          ...errorState(each),
        })),
      ],
    },
    { type: "ScopedRoutesConfigDump", head: {}, lists: [] },
    {
      type: "RoutesConfigDump",
      head: {},
      lists: [
        list("static_route_configs", "RoutesConfigDump.StaticRouteConfig", of(TypeUrl.route, "static"), (each) => ({
          route_config: resource(each),
          ...updated(each),
        })),
        list("dynamic_route_configs", "RoutesConfigDump.DynamicRouteConfig", of(TypeUrl.route, "active", "warming"), (each) =>
          versioned("route_config", each),
        ),
      ],
    },
    {
      type: "SecretsConfigDump",
      head: {},
      lists: [
        list("static_secrets", "SecretsConfigDump.StaticSecret", secrets("static"), (each) => ({
          name: each.name,
          ...updated(each),
          secret: resource(each),
        })),
        withIdentity(
          list("dynamic_active_secrets", "SecretsConfigDump.DynamicSecret", secrets("active"), (each) => ({
            name: each.name,
            ...versioned("secret", each),
          })),
          view
            .certificates()
            .filter((each) => !resources.some(({ typeUrl, name }) => typeUrl === TypeUrl.secret && name === each.secretName)),
        ),
        list("dynamic_warming_secrets", "SecretsConfigDump.DynamicSecret", secrets("warming"), (each) => ({
          name: each.name,
          ...versioned("secret", each),
        })),
      ],
    },
  );
  return sections;
}

function list(field: string, type: string, records: readonly ResourceRecord[], json: (record: ResourceRecord) => JsonObject): ResourceList {
  return { field, type, elements: records.map((record) => ({ name: record.name, json: () => json(record) })) };
}

/** Adds the sidecar's own secrets: they come from its CA client, not over xDS, so there is no resource to show. */
function withIdentity(secrets: ResourceList, held: readonly CertificateStatus[]): ResourceList {
  const own = held.map((each) => ({
    name: each.secretName,
    json: (): JsonObject => ({ name: each.secretName, secret: { "@type": TypeUrl.secret, name: each.secretName, ...secretBody(each) } }),
  }));
  return { ...secrets, elements: [...secrets.elements, ...own] };
}

function secretBody({ kind, pem }: CertificateStatus): JsonObject {
  const bytes = (text: string): JsonObject => ({ inline_bytes: Buffer.from(text).toString("base64") });
  if (kind === "validation") return { validation_context: { trusted_ca: bytes(pem) } };
  return { tls_certificate: { certificate_chain: bytes(pem), private_key: bytes("[redacted]") } };
}

function versioned(field: string, record: ResourceRecord): JsonObject {
  return { ...versionInfo(record.version), [field]: resource(record), ...updated(record), ...errorState(record) };
}

function resource({ typeUrl, bytes }: ResourceRecord): JsonObject {
  return anyJson(typeUrl, bytes);
}

function updated({ updatedAt }: ResourceRecord): JsonObject {
  return { last_updated: time(updatedAt) };
}

function versionInfo(version: string): JsonObject {
  return version === "" ? {} : { version_info: version };
}

/** Of the last update that was rejected: what was sent, and why it is not in use. */
function errorState({ typeUrl, error }: ResourceRecord): JsonObject {
  if (error === undefined) return {};
  return {
    error_state: {
      failed_configuration: anyJson(typeUrl, error.bytes),
      last_update_attempt: time(error.at),
      details: error.details,
      ...versionInfo(error.version),
    },
  };
}

function time(ms: number): string {
  return new Date(ms).toISOString();
}
