// PeerAuthentication (security.istio.io): whether a workload's sidecar demands mutual TLS.
import { z } from "zod";
import { choice, labels, struct } from "./fields.ts";

const mtls = struct({ mode: choice(["UNSET", "DISABLE", "PERMISSIVE", "STRICT"]).optional() });

const portKey = z.string().regex(/^\d{1,5}$/, "must be a port number");

export const peerAuthenticationSpec = struct({
  selector: struct({ matchLabels: labels.optional() }).optional(),
  mtls: mtls.optional(),
  portLevelMtls: z.record(portKey, mtls).optional(),
}).superRefine((spec, context) => {
  if (spec.portLevelMtls !== undefined && Object.keys(spec.selector?.matchLabels ?? {}).length === 0) {
    context.addIssue({
      code: "custom",
      path: ["portLevelMtls"],
      message: "needs a selector: a port belongs to workloads, not to a namespace",
    });
  }
});
export type PeerAuthenticationSpec = z.output<typeof peerAuthenticationSpec>;
