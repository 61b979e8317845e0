// VirtualService (networking.istio.io): how requests to a host are routed. The part that translate acts on.
import { z } from "zod";
import { count, duration, headers, labels, nonEmpty, notSupported, portNumber, portSelector, stringMatch, struct } from "./fields.ts";

const gatewayName = nonEmpty.refine((name) => name === "mesh", "gateways other than mesh are not supported yet");

const destination = struct({ host: nonEmpty, subset: nonEmpty.optional(), port: portSelector.optional() });
export type Destination = z.output<typeof destination>;

const httpMatch = struct({
  name: z.string().optional(),
  uri: stringMatch.optional(),
  ignoreUriCase: z.boolean().optional(),
  scheme: stringMatch.optional(),
  method: stringMatch.optional(),
  authority: stringMatch.optional(),
  headers: z.record(nonEmpty, stringMatch).optional(),
  withoutHeaders: z.record(nonEmpty, stringMatch).optional(),
  queryParams: z.record(nonEmpty, stringMatch).optional(),
  port: portNumber.optional(),
  sourceLabels: labels.optional(),
  sourceNamespace: nonEmpty.optional(),
  gateways: z.array(gatewayName).optional(),
  statPrefix: notSupported(),
});
export type HttpMatch = z.output<typeof httpMatch>;

const httpDestination = struct({ destination, weight: count.optional(), headers: headers.optional() });
export type HttpDestination = z.output<typeof httpDestination>;

const RETRY_WORDS = new Set([
  "5xx",
  "gateway-error",
  "reset",
  "reset-before-request",
  "connect-failure",
  "envoy-ratelimited",
  "retriable-4xx",
  "refused-stream",
  "retriable-status-codes",
  "retriable-headers",
  "http3-post-connect-failure",
  "cancelled",
  "deadline-exceeded",
  "internal",
  "resource-exhausted",
  "unavailable",
]);

const retryOn = z.string().superRefine((text, context) => {
  for (const word of text.split(",").map((each) => each.trim())) {
    if (word === "" || RETRY_WORDS.has(word) || /^[1-5]\d\d$/.test(word)) continue;
    context.addIssue({ code: "custom", message: `${JSON.stringify(word)} is not a retry condition` });
  }
});

const retries = struct({
  attempts: count.optional(),
  perTryTimeout: duration.optional(),
  retryOn: retryOn.optional(),
  retryIgnorePreviousHosts: z.boolean().optional(),
  backoff: duration.optional(),
  retryRemoteLocalities: notSupported(),
});
export type Retries = z.output<typeof retries>;

const redirect = struct({
  uri: nonEmpty.optional(),
  authority: nonEmpty.optional(),
  port: portNumber.optional(),
  scheme: nonEmpty.optional(),
  redirectCode: z
    .union([z.literal(301), z.literal(302), z.literal(303), z.literal(307), z.literal(308)], { error: "must be 301, 302, 303, 307 or 308" })
    .optional(),
  derivePort: notSupported(),
});

const directResponse = struct({
  status: z.int({ error: "must be an HTTP status" }).min(200, "must be from 200 to 599").max(599, "must be from 200 to 599"),
  body: struct({ string: z.string().max(1_000_000, "is longer than 1 MB").optional(), bytes: notSupported() }).optional(),
});

const httpRoute = struct({
  name: z.string().optional(),
  match: z.array(httpMatch).optional(),
  route: z.array(httpDestination).optional(),
  redirect: redirect.optional(),
  directResponse: directResponse.optional(),
  rewrite: struct({ uri: z.string().optional(), authority: nonEmpty.optional(), uriRegexRewrite: notSupported() }).optional(),
  timeout: duration.optional(),
  retries: retries.optional(),
  headers: headers.optional(),
  delegate: notSupported(),
  fault: notSupported(),
  mirror: notSupported(),
  mirrors: notSupported(),
  mirrorPercent: notSupported(),
  mirrorPercentage: notSupported(),
  corsPolicy: notSupported(),
}).superRefine((route, context) => {
  const actions = [route.route, route.redirect, route.directResponse].filter((each) => each !== undefined).length;
  if (actions !== 1) {
    context.addIssue({ code: "custom", message: "must have exactly one of route, redirect and directResponse" });
  }
  if (route.route !== undefined) {
    if (route.route.length === 0) context.addIssue({ code: "custom", path: ["route"], message: "must not be empty" });
    else if (route.route.length > 1 && route.route.every((each) => (each.weight ?? 0) === 0)) {
      context.addIssue({ code: "custom", path: ["route"], message: "all weights are 0" });
    }
  }
  if (route.rewrite?.uri !== undefined && route.match?.some((each) => each.uri?.regex !== undefined)) {
    context.addIssue({ code: "custom", path: ["rewrite", "uri"], message: "is not supported yet together with a uri.regex match" });
  }
});
export type HttpRoute = z.output<typeof httpRoute>;

const tcpRoute = struct({
  match: z
    .array(
      struct({
        port: portNumber.optional(),
        sourceLabels: labels.optional(),
        sourceNamespace: nonEmpty.optional(),
        gateways: z.array(gatewayName).optional(),
        destinationSubnets: notSupported(),
        sourceSubnet: notSupported(),
      }),
    )
    .optional(),
  route: z.array(struct({ destination, weight: count.optional() })).min(1, "must not be empty"),
});
export type TcpRoute = z.output<typeof tcpRoute>;

const sniHost = nonEmpty.regex(/^(?:\*\.)?[^*]+$/, "must be a name, or *. and a name");

const tlsRoute = struct({
  match: z
    .array(
      struct({
        sniHosts: z.array(sniHost, { error: "is required: the server names that are routed" }).min(1, "must not be empty"),
        port: portNumber.optional(),
        sourceLabels: labels.optional(),
        sourceNamespace: nonEmpty.optional(),
        gateways: z.array(gatewayName).optional(),
        destinationSubnets: notSupported(),
      }),
      { error: "is required: a tls route is chosen by its sniHosts" },
    )
    .min(1, "must not be empty"),
  route: z.array(struct({ destination, weight: count.optional() })).min(1, "must not be empty"),
});

export const virtualServiceSpec = struct({
  hosts: z.array(nonEmpty, { error: "is required: the hosts that this VirtualService routes" }).min(1, "must not be empty"),
  gateways: z.array(gatewayName).optional(),
  exportTo: z.array(nonEmpty).optional(),
  http: z.array(httpRoute).optional(),
  tcp: z.array(tcpRoute).optional(),
  tls: z.array(tlsRoute).optional(),
});
export type VirtualServiceSpec = z.output<typeof virtualServiceSpec>;
