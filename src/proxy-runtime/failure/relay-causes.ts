// Rows of the failure table for connections whose bytes are relayed and not understood.
import { Grpc, midway, named } from "./cause.ts";

export const RelayCauses = named({
  // The details are Envoy's local close reasons.
  relayIdleMidway: midway(Grpc.deadlineExceeded, "SI", "tcp_session_idle_timeout", "policy"),
  relayDurationMidway: midway(Grpc.deadlineExceeded, "DT", "max_connection_duration_reached", "policy"),
});
