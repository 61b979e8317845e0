// The client's side of Istio's CreateCertificate call: what a sidecar gets its certificate with.
import { readFile } from "node:fs/promises";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Backoff } from "../../common/backoff.ts";
import { sleep, systemClock } from "../../common/clock.ts";
import type { Clock } from "../../common/clock.ts";
import { IstioCertificateRequestSchema, IstioCertificateResponseSchema } from "../../xds/gen/istio/ca_pb.ts";
import type { GrpcChannel } from "../../xds/grpc-channel.ts";
import { GrpcCode, GrpcError } from "../../xds/grpc-status.ts";
import { CREATE_CERTIFICATE_METHOD } from "../../xds/names.ts";

/**
 * Asks a CA to sign.
 * @param ttlS wished lifetime in seconds; 0 leaves it to the CA.
 * @returns PEM texts: leaf, intermediates, root last. An element may hold several certificates.
 */
export type RequestCertificate = (csrPem: string, ttlS: number) => Promise<readonly string[]>;

export interface CreateCertificateClientOptions {
  readonly channel: GrpcChannel;
  /** File with the service account token; read for each try, as the kubelet renews it. Undefined: no token is shown. */
  readonly tokenFile: string | undefined;
  /** Told to a control plane of several clusters, to choose where the token is reviewed. */
  readonly clusterId?: string;
  /** Of one try; default 10 s (Istio). */
  readonly timeoutMs?: number;
  readonly clock?: Clock;
  readonly random?: () => number;
}

const DEFAULT_TIMEOUT_MS = 10_000;
const MAX_RETRIES = 5; // as Istio's agent
const FIRST_RETRY_MS = 100;

const RETRYABLE: ReadonlySet<number> = new Set([
  GrpcCode.cancelled,
  GrpcCode.deadlineExceeded,
  GrpcCode.resourceExhausted,
  GrpcCode.aborted,
  GrpcCode.internal,
  GrpcCode.unavailable,
]);

/** The returned function throws GrpcError, or the file system's error when the token can't be read. */
export function createCertificateClient(options: CreateCertificateClientOptions): RequestCertificate {
  const { channel, tokenFile, clusterId, timeoutMs = DEFAULT_TIMEOUT_MS, clock = systemClock } = options;

  async function attempt(message: Uint8Array): Promise<readonly string[]> {
    const metadata: Record<string, string> = {};
    if (tokenFile !== undefined) metadata["authorization"] = `Bearer ${(await readFile(tokenFile, "utf8")).trim()}`;
    if (clusterId !== undefined) metadata["clusterid"] = clusterId;
    const answer = await channel.unary(CREATE_CERTIFICATE_METHOD, message, { metadata, timeoutMs });
    return fromBinary(IstioCertificateResponseSchema, answer).certChain;
  }

  return async function requestCertificate(csrPem, ttlS) {
    const request = create(IstioCertificateRequestSchema, { csr: csrPem, validityDuration: BigInt(Math.floor(ttlS)) });
    const message = toBinary(IstioCertificateRequestSchema, request);
    const backoff = new Backoff({ initialMs: FIRST_RETRY_MS, maxMs: 10_000, random: options.random });
    for (let retries = 0; ; retries++) {
      try {
        return await attempt(message);
      } catch (error) {
        if (!(error instanceof GrpcError) || !RETRYABLE.has(error.code) || retries === MAX_RETRIES) throw error;
        await sleep(clock, backoff.next());
      }
    }
  };
}
