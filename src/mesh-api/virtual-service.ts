// VirtualService (networking.istio.io): how requests to a host are routed. The part that translate acts on.
import { z } from "zod";
import { count, duration, headers, labels, nonEmpty, notSupported, portNumber, portSelector, stringMatch, struct } from "./fields.ts";
import type { SchemaHints } from "./schema-hints.ts";

const gatewayName = nonEmpty.refine((name) => name === "mesh", "gateways other than mesh are not supported yet");

const destination = struct({
  host: nonEmpty.describe("Name of a Service, such as reviews or reviews.prod.svc.cluster.local."),
  subset: nonEmpty.optional().describe("Name of a subset in the DestinationRule of the host."),
  port: portSelector.optional().describe("Port of the Service; needed where it has several."),
});
export type Destination = z.output<typeof destination>;

/** What every kind of match may say of the one who calls. */
const clientMatch = {
  port: portNumber.optional().describe("Port of the Service that was called."),
  sourceLabels: labels.optional().describe("Labels that the client's pods must have."),
  sourceNamespace: nonEmpty.optional().describe("Namespace that the client must be in."),
  gateways: z.array(gatewayName).optional().describe("Always mesh, which is the sidecars; gateways are not supported yet."),
};

const httpMatch = struct({
  name: z.string().optional().describe("A name for people."),
  uri: stringMatch.optional().describe("Path of the request, without the query."),
  ignoreUriCase: z.boolean().optional().describe("Compares exact and prefix of uri without regard to case."),
  scheme: stringMatch.optional().describe("Scheme of the URI, such as http."),
  method: stringMatch.optional().describe("Method of the request, such as GET."),
  authority: stringMatch.optional().describe("Host header of the request."),
  headers: z
    .record(nonEmpty, stringMatch)
    .optional()
    .describe("Headers that the request must have; an empty match asks only that it is there."),
  withoutHeaders: z.record(nonEmpty, stringMatch).optional().describe("Headers that the request must not have."),
  queryParams: z.record(nonEmpty, stringMatch).optional().describe("Query parameters that the request must have."),
  ...clientMatch,
  statPrefix: notSupported(),
});
export type HttpMatch = z.output<typeof httpMatch>;

const httpDestination = struct({
  destination: destination.describe("Where the requests go."),
  weight: count.optional().describe("Share of the requests, in proportion to the sum of all weights."),
  headers: headers.optional().describe("Headers to change for this destination, after those of the route."),
});
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
  attempts: count.optional().describe("How often a request is tried again at most; 0: never."),
  perTryTimeout: duration.optional().describe("Time for each attempt; without it, that of the whole request."),
  retryOn: retryOn
    .optional()
    .describe("Conditions for another attempt, with commas between: words of Envoy, gRPC statuses and HTTP statuses."),
  retryIgnorePreviousHosts: z.boolean().optional().describe("Looks for an endpoint that has not been tried yet (the default)."),
  backoff: duration.optional().describe("Least pause before another attempt."),
  retryRemoteLocalities: notSupported(),
});
export type Retries = z.output<typeof retries>;

const redirect = struct({
  uri: nonEmpty.optional().describe("Path that replaces the request's."),
  authority: nonEmpty.optional().describe("Host that replaces the request's."),
  port: portNumber.optional().describe("Port that replaces the request's."),
  scheme: nonEmpty.optional().describe("Scheme that replaces the request's."),
  redirectCode: z
    .union([z.literal(301), z.literal(302), z.literal(303), z.literal(307), z.literal(308)], { error: "must be 301, 302, 303, 307 or 308" })
    .optional()
    .describe("Status of the answer; 301 without it."),
  derivePort: notSupported(),
});

const directResponse = struct({
  status: z
    .int({ error: "must be an HTTP status" })
    .min(200, "must be from 200 to 599")
    .max(599, "must be from 200 to 599")
    .describe("Status of the answer."),
  body: struct({
    string: z.string().max(1_000_000, "is longer than 1 MB").optional().describe("Text of at most 1 MB."),
    bytes: notSupported(),
  })
    .optional()
    .describe("Body of the answer."),
});

const httpRoute = struct({
  name: z.string().optional().describe("A name for logs and metrics."),
  match: z.array(httpMatch).optional().describe("The requests that take this route: those that one of these describes; without it, all."),
  route: z.array(httpDestination).optional().describe("Where the requests go, by weight."),
  redirect: redirect.optional().describe("Answers with a redirect instead."),
  directResponse: directResponse.optional().describe("Answers with this status and body instead."),
  rewrite: struct({
    uri: z.string().optional().describe("Replaces the path, or the prefix that was matched."),
    authority: nonEmpty.optional().describe("Replaces the Host header."),
    uriRegexRewrite: notSupported(),
  })
    .optional()
    .describe("What is changed in the request before it goes on."),
  timeout: duration.optional().describe("Time for the whole answer, such as 5s; none without it."),
  retries: retries.optional().describe("When a request is tried again; without it, twice where nothing can have been done yet."),
  headers: headers.optional().describe("Headers to change in requests and responses."),
  delegate: notSupported(),
  fault: notSupported(),
  mirror: notSupported(),
  mirrors: notSupported(),
  mirrorPercent: notSupported(),
  mirrorPercentage: notSupported(),
  corsPolicy: notSupported(),
})
  .superRefine((route, context) => {
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
  })
  .meta({ exactlyOneOf: ["route", "redirect", "directResponse"] } satisfies SchemaHints);
export type HttpRoute = z.output<typeof httpRoute>;

const tcpDestination = struct({
  destination: destination.describe("Where the connections go."),
  weight: count.optional().describe("Share of the connections, in proportion to the sum of all weights."),
});

const tcpRoute = struct({
  match: z
    .array(
      struct({
        ...clientMatch,
        destinationSubnets: notSupported(),
        sourceSubnet: notSupported(),
      }),
    )
    .optional()
    .describe("The connections that take this route; without it, all."),
  route: z.array(tcpDestination).min(1, "must not be empty").describe("Where the connections go, by weight."),
});
export type TcpRoute = z.output<typeof tcpRoute>;

const sniHost = nonEmpty.regex(/^(?:\*\.)?[^*]+$/, "must be a name, or *. and a name");

const tlsRoute = struct({
  match: z
    .array(
      struct({
        sniHosts: z
          .array(sniHost, { error: "is required: the server names that are routed" })
          .min(1, "must not be empty")
          .describe("Server names that the client asks for, such as db.example.com or *.example.com."),
        ...clientMatch,
        destinationSubnets: notSupported(),
      }),
      { error: "is required: a tls route is chosen by its sniHosts" },
    )
    .min(1, "must not be empty")
    .describe("The TLS connections that take this route, by the server name in their first message."),
  route: z.array(tcpDestination).min(1, "must not be empty").describe("Where the connections go, by weight."),
});

export const virtualServiceSpec = struct({
  hosts: z
    .array(nonEmpty, { error: "is required: the hosts that this VirtualService routes" })
    .min(1, "must not be empty")
    .describe("The hosts that clients call: names of Services, or *. and a domain."),
  gateways: z.array(gatewayName).optional().describe("Always mesh, which is the sidecars; gateways are not supported yet."),
  exportTo: z.array(nonEmpty).optional().describe("Namespaces whose clients see this: . is its own, * is all (the default)."),
  http: z.array(httpRoute).optional().describe("Routes for HTTP and gRPC; the first that matches a request is taken."),
  tcp: z.array(tcpRoute).optional().describe("Routes for TCP; the first that matches a connection is taken."),
  tls: z.array(tlsRoute).optional().describe("Routes for TLS that passes through as it is; the first that matches is taken."),
});
export type VirtualServiceSpec = z.output<typeof virtualServiceSpec>;
