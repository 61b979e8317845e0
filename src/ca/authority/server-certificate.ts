// The control plane's own serving certificate: signed by its own CA, renewed at half its life, for gRPC and HTTPS
// servers without a restart.
import { experimental } from "@grpc/grpc-js";
import type { ServerCredentials } from "@grpc/grpc-js";
import { generateKeyPairSync } from "node:crypto";
import type { Clock } from "../../common/clock.ts";
import type { Issuer } from "./issuer.ts";

export interface ServingPair {
  /** Leaf and intermediates, PEM. */
  readonly chainPem: string;
  readonly keyPem: string;
}

export interface ServerCertificate {
  readonly current: ServingPair;
  /** Called at once with the current pair, and with each renewed one. Returns what ends it. */
  subscribe(onPair: (pair: ServingPair) => void): () => void;
  /** Ends the renewal. */
  stop(): void;
}

export interface ServerCertificateOptions {
  readonly issuer: Issuer;
  readonly dnsNames: readonly string[];
  readonly ips: readonly string[];
  readonly clock: Clock;
  readonly ttlS?: number;
  /** A renewal failed; the old pair stays, and it is tried again within a minute. */
  readonly onFailure: (error: Error) => void;
}

const DEFAULT_TTL_S = 7 * 24 * 3600;
const CHECK_MS = 60_000;

export async function createServerCertificate(options: ServerCertificateOptions): Promise<ServerCertificate> {
  const { issuer, dnsNames, ips, clock, ttlS = DEFAULT_TTL_S, onFailure } = options;
  const subscribers = new Set<(pair: ServingPair) => void>();

  async function issue(): Promise<{ pair: ServingPair; renewAtMs: number }> {
    const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const startMs = clock.now();
    const { chain, notAfterMs } = await issuer.signKey(publicKey, { dnsNames, ips }, ttlS);
    const keyPem = privateKey.export({ type: "pkcs8", format: "pem" });
    return { pair: { chainPem: chain.slice(0, -1).join(""), keyPem }, renewAtMs: startMs + (notAfterMs - startMs) / 2 };
  }

  let latest = await issue();
  let isStopped = false;
  let cancel = clock.after(CHECK_MS, check);

  function check(): void {
    const next = clock.now() < latest.renewAtMs ? Promise.resolve() : renew();
    void next.then(() => {
      if (!isStopped) cancel = clock.after(CHECK_MS, check);
    });
  }

  async function renew(): Promise<void> {
    try {
      latest = await issue();
      for (const each of subscribers) each(latest.pair);
    } catch (error) {
      onFailure(error as Error);
    }
  }

  return {
    get current() {
      return latest.pair;
    },
    subscribe(onPair) {
      subscribers.add(onPair);
      onPair(latest.pair);
      return () => subscribers.delete(onPair);
    },
    stop() {
      isStopped = true;
      cancel();
    },
  };
}

/**
 * Credentials for a grpc-js Server that follow the renewals. Clients may show a certificate; what doesn't lead to one of
 * the roots counts as none.
 */
export function toGrpcServerCredentials(certificate: ServerCertificate, rootsPem: string): ServerCredentials {
  const stops = new Map<unknown, () => void>();
  const identityProvider: experimental.CertificateProvider = {
    addIdentityCertificateListener(listener) {
      const stop = certificate.subscribe(({ chainPem, keyPem }) => {
        // Not at once: grpc-js 1.14 registers its server for updates only after this call, and would miss the first.
        process.nextTick(listener, { certificate: Buffer.from(chainPem), privateKey: Buffer.from(keyPem) });
      });
      stops.set(listener, stop);
    },
    removeIdentityCertificateListener(listener) {
      stops.get(listener)?.();
      stops.delete(listener);
    },
    addCaCertificateListener() {},
    removeCaCertificateListener() {},
  };
  const rootsProvider: experimental.CertificateProvider = {
    ...{ addIdentityCertificateListener() {}, removeIdentityCertificateListener() {} },
    addCaCertificateListener: (listener) => process.nextTick(listener, { caCertificate: Buffer.from(rootsPem) }),
    removeCaCertificateListener() {},
  };
  // grpc-js 1.14: its type declaration names the parameters the other way round; the identity comes first.
  return experimental.createCertificateProviderServerCredentials(identityProvider, rootsProvider, false);
}
