// Istio's MeshConfig: what is decided for the whole mesh and can change while it runs. It stands as YAML in a ConfigMap of
// the mesh's namespace.
import { z } from "zod";
import { choice, duration, notSupported, struct } from "./fields.ts";

/** Name of the ConfigMap; Istio's is `istio`. */
export const MESH_CONFIG_MAP = "meshctl";
/** The key in it, as in Istio's. */
export const MESH_CONFIG_KEY = "mesh";

// Istio 1.24, mesh/v1alpha1/config.proto: those that somebody who comes with a MeshConfig is likely to have.
const LATER = [
  "accessLogEncoding",
  "accessLogFormat",
  "caCertificates",
  "configSources",
  "connectTimeout",
  "defaultConfig",
  "defaultDestinationRuleExportTo",
  "defaultHttpRetryPolicy",
  "defaultProviders",
  "defaultServiceExportTo",
  "defaultVirtualServiceExportTo",
  "discoverySelectors",
  "dnsRefreshRate",
  "enableAutoMtls",
  "enablePrometheusMerge",
  "enableTracing",
  "extensionProviders",
  "h2UpgradePolicy",
  "inboundTrafficPolicy",
  "ingressClass",
  "ingressControllerMode",
  "ingressService",
  "localityLbSetting",
  "meshMTLS",
  "outboundTrafficPolicy",
  "serviceSettings",
  "tcpKeepalive",
  "tlsDefaults",
  "trustDomainAliases",
  "verifyCertificateAtClient",
] as const;

/** What every certificate and every policy depends on is no matter of an edit. */
function ofTheInstallation(value: string): z.ZodOptional<z.ZodNever> {
  return z.never({ error: `belongs to the installation: meshctl install --set ${value}=…` }).optional();
}

export const meshConfig = struct({
  accessLogFile: z
    .string({ error: "must be a file such as /dev/stdout" })
    .optional()
    .describe("File to which every sidecar writes its access log; empty for none."),
  pathNormalization: struct({
    normalization: choice(["DEFAULT", "NONE", "BASE", "MERGE_SLASHES", "DECODE_AND_MERGE_SLASHES"]).optional(),
  })
    .optional()
    .describe("What sidecars make of a request's path before they match it and send it on."),
  protocolDetectionTimeout: duration
    .optional()
    .describe("How long sidecars wait for first bytes where a port's protocol is not declared; 0s for ever."),
  rootNamespace: ofTheInstallation("namespace"),
  trustDomain: ofTheInstallation("trustDomain"),
  ...(Object.fromEntries(LATER.map((name) => [name, notSupported()])) as Record<(typeof LATER)[number], ReturnType<typeof notSupported>>),
});
export type MeshConfig = z.output<typeof meshConfig>;
