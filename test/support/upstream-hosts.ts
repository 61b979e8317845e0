// Hosts for load balancing tests.
import type { HealthStatus } from "../../src/proxy-runtime/config/endpoint-config.ts";
import { NO_LOCALITY, UpstreamHost } from "../../src/proxy-runtime/upstream/host.ts";

let lastPort = 1000;

interface HostOptions {
  readonly weight?: number;
  readonly health?: HealthStatus;
  readonly priority?: number;
}

export function makeHost({ weight = 1, health = "healthy", priority = 0 }: HostOptions = {}): UpstreamHost {
  lastPort += 1;
  const endpoint = { address: "127.0.0.1", port: lastPort, hostname: "", weight, health, transportSocketMatch: {}, workload: undefined };
  return new UpstreamHost(endpoint, NO_LOCALITY, priority, undefined);
}

/** A generator of numbers in [0, 1) that gives the same ones each time (Park and Miller's). */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 48271) % 2147483647) / 2147483647;
}
