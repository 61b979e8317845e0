// PeerAuthentication (security.istio.io): whether a workload's sidecar demands mutual TLS.
import { z } from "zod";
import { choice, labels, struct } from "./fields.ts";

const mtls = struct({
  mode: choice(["UNSET", "DISABLE", "PERMISSIVE", "STRICT"])
    .optional()
    .describe(
      "STRICT: only mutual TLS is taken. PERMISSIVE: plaintext, too (the default). DISABLE: plaintext only. UNSET: what the namespace or the mesh says.",
    ),
});

const portKey = z.string().regex(/^\d{1,5}$/, "must be a port number");

export const peerAuthenticationSpec = struct({
  selector: struct({ matchLabels: labels.optional().describe("Labels that a workload's pods must have.") })
    .optional()
    .describe("The workloads that this is for. Without it: all of the namespace, or of the whole mesh in the mesh's own namespace."),
  mtls: mtls.optional().describe("Whether mutual TLS is demanded of those who connect."),
  portLevelMtls: z
    .record(portKey, mtls)
    .optional()
    .describe("The same for single ports of the workload, by the number that it listens on."),
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
