// The server's side of Istio's CreateCertificate call, for a @grpc/grpc-js Server: token or certificate → identity → certificate.
import { status } from "@grpc/grpc-js";
import type { MethodDefinition, ServerUnaryCall, ServiceDefinition, UntypedServiceImplementation, sendUnaryData } from "@grpc/grpc-js";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { IstioCertificateRequestSchema, IstioCertificateResponseSchema } from "../../xds/gen/istio/ca_pb.ts";
import type { IstioCertificateRequest, IstioCertificateResponse } from "../../xds/gen/istio/ca_pb.ts";
import { CREATE_CERTIFICATE_METHOD } from "../../xds/names.ts";
import { formatSpiffeId } from "../client/spiffe-id.ts";
import { bearerToken } from "./authenticator.ts";
import type { CallerAuthenticator } from "./caller-authenticator.ts";
import { IssueError } from "./issuer.ts";
import type { Issuer } from "./issuer.ts";

/** What became of one call, for log and metrics. */
export interface CertificateOutcome {
  /** gRPC status code; 0 is OK. */
  readonly code: number;
  /** SPIFFE ID of the caller, once known. */
  readonly identity: string | undefined;
  /** Why not; empty on success. */
  readonly message: string;
  /** Only on success, ms since 1970. */
  readonly notAfterMs?: number;
}

export interface CreateCertificateServiceOptions {
  readonly issuer: Issuer;
  readonly authenticate: CallerAuthenticator;
  readonly trustDomain: string;
  /** Longest life of a workload's certificate in seconds: longer wishes get this. undefined: the issuer's own limits. */
  readonly workloadTtlS?: number;
  readonly onOutcome?: (outcome: CertificateOutcome) => void;
}

type Call = ServerUnaryCall<IstioCertificateRequest, IstioCertificateResponse>;
type Definition = MethodDefinition<IstioCertificateRequest, IstioCertificateResponse>;

const METHOD: Definition = {
  path: CREATE_CERTIFICATE_METHOD,
  requestStream: false,
  responseStream: false,
  requestSerialize: (message) => Buffer.from(toBinary(IstioCertificateRequestSchema, message)),
  requestDeserialize: (bytes) => fromBinary(IstioCertificateRequestSchema, bytes),
  responseSerialize: (message) => Buffer.from(toBinary(IstioCertificateResponseSchema, message)),
  responseDeserialize: (bytes) => fromBinary(IstioCertificateResponseSchema, bytes),
};

class Refusal extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** Wishes that Istio's API knows and this CA does not grant must not pass silently. */
function refuseUnsupported({ metadata = {} }: IstioCertificateRequest): void {
  for (const [key, what] of [
    ["ImpersonatedIdentity", "certificates for other identities"],
    ["CertSigner", "a choice of signers"],
  ] as const) {
    if (metadata[key] !== undefined && metadata[key] !== "")
      throw new Refusal(status.INVALID_ARGUMENT, `this CA gives no ${what} (${key})`);
  }
}

/** `server.addService(definition, implementation)`. */
export function createCertificateService(options: CreateCertificateServiceOptions): {
  definition: ServiceDefinition;
  implementation: UntypedServiceImplementation;
} {
  const { issuer, authenticate, trustDomain, workloadTtlS, onOutcome = () => {} } = options;

  function grantedTtlS(wishedS: number): number {
    if (workloadTtlS === undefined) return wishedS;
    return wishedS > 0 ? Math.min(wishedS, workloadTtlS) : workloadTtlS;
  }

  async function identify(call: Call): Promise<string> {
    const token = bearerToken(call.metadata.get("authorization")[0]?.toString());
    // Alone it can't be renewed: what was stolen once would be good for ever.
    const certificate = token === undefined ? undefined : call.getAuthContext().sslPeerCertificate?.raw;
    const answer = await authenticate({ token, certificate }).catch((error: Error) => {
      throw new Refusal(status.UNAVAILABLE, `the token can't be checked now: ${error.message}`);
    });
    if (!answer.ok) throw new Refusal(status.UNAUTHENTICATED, answer.reason);
    return formatSpiffeId({ trustDomain, namespace: answer.identity.namespace, serviceAccount: answer.identity.serviceAccount });
  }

  async function answer(call: Call, done: sendUnaryData<IstioCertificateResponse>): Promise<void> {
    let identity: string | undefined;
    try {
      identity = await identify(call);
      refuseUnsupported(call.request);
      const { chain, notAfterMs } = await issuer.signRequest(
        call.request.csr,
        { uris: [identity] },
        grantedTtlS(Number(call.request.validityDuration)),
      );
      done(null, create(IstioCertificateResponseSchema, { certChain: [...chain] }));
      onOutcome({ code: status.OK, identity, message: "", notAfterMs });
    } catch (error) {
      const code = error instanceof Refusal ? error.code : error instanceof IssueError ? status.INVALID_ARGUMENT : status.INTERNAL;
      const { message } = error as Error;
      // What went wrong inside is for our own log only.
      done({ code, details: code === Number(status.INTERNAL) ? "the CA can't sign now" : message });
      onOutcome({ code, identity, message });
    }
  }

  return {
    definition: { createCertificate: METHOD as MethodDefinition<object, object> },
    implementation: {
      createCertificate: (call: Call, done: sendUnaryData<IstioCertificateResponse>) => void answer(call, done),
    },
  };
}
