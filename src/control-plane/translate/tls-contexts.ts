// TLS between sidecars: both ends show their workload certificate (SDS `default`), trust the mesh's roots (`ROOTCA`),
// speak TLS 1.3 only, and check the peer's SPIFFE identity.
import { create } from "@bufbuild/protobuf";
import { TransportSocketSchema } from "../../xds/gen/envoy/config/core/v3/base_pb.ts";
import type { TransportSocket } from "../../xds/gen/envoy/config/core/v3/base_pb.ts";
import { ApiConfigSource_ApiType, ApiVersion, ConfigSourceSchema } from "../../xds/gen/envoy/config/core/v3/config_source_pb.ts";
import { RawBufferSchema } from "../../xds/gen/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer_pb.ts";
import {
  SubjectAltNameMatcher_SanType,
  TlsParameters_TlsProtocol,
} from "../../xds/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.ts";
import {
  CommonTlsContextSchema,
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
} from "../../xds/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts";
import type { CommonTlsContext } from "../../xds/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts";
import { StringMatcherSchema } from "../../xds/gen/envoy/type/matcher/v3/string_pb.ts";
import type { StringMatcher } from "../../xds/gen/envoy/type/matcher/v3/string_pb.ts";
import { Alpn, ClusterName, SecretName } from "../../xds/names.ts";
import { pack, toDuration } from "./wire-values.ts";

export function exactMatcher(text: string): StringMatcher {
  return create(StringMatcherSchema, { matchPattern: { case: "exact", value: text } });
}

export function prefixMatcher(text: string): StringMatcher {
  return create(StringMatcherSchema, { matchPattern: { case: "prefix", value: text } });
}

function secret(name: string) {
  return {
    name,
    sdsConfig: create(ConfigSourceSchema, {
      configSourceSpecifier: {
        case: "apiConfigSource",
        value: {
          apiType: ApiConfigSource_ApiType.GRPC,
          transportApiVersion: ApiVersion.V3,
          setNodeOnFirstMessageOnly: true,
          grpcServices: [{ targetSpecifier: { case: "envoyGrpc", value: { clusterName: ClusterName.sds } } }],
        },
      },
      resourceApiVersion: ApiVersion.V3,
      initialFetchTimeout: toDuration(0),
    }),
  };
}

function meshTls(alpn: readonly string[], peers: readonly StringMatcher[]): CommonTlsContext {
  return create(CommonTlsContextSchema, {
    alpnProtocols: [...alpn],
    tlsParams: {
      tlsMinimumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_3,
      tlsMaximumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_3,
    },
    tlsCertificateSdsSecretConfigs: [secret(SecretName.workload)],
    validationContextType: {
      case: "combinedValidationContext",
      value: {
        defaultValidationContext: {
          matchTypedSubjectAltNames: peers.map((matcher) => ({ sanType: SubjectAltNameMatcher_SanType.URI, matcher })),
        },
        validationContextSdsSecretConfig: secret(SecretName.roots),
      },
    },
  });
}

const TLS_SOCKET = "envoy.transport_sockets.tls";

/** What a cluster's ALPN list says of its hosts: `istio`, that they are sidecars; the mesh transport, that HTTP may take it. */
export const MESH_HTTP_ALPN: readonly string[] = [Alpn.meshTransport, Alpn.meshTcp];
export const MESH_TCP_ALPN: readonly string[] = [Alpn.meshTcp];

/** A client's side of mesh mutual TLS. */
export function upstreamMeshTls(alpn: readonly string[], sni: string, peers: readonly StringMatcher[]): TransportSocket {
  return create(TransportSocketSchema, {
    name: TLS_SOCKET,
    configType: {
      case: "typedConfig",
      value: pack(UpstreamTlsContextSchema, { commonTlsContext: meshTls(alpn, peers), sni }),
    },
  });
}

/** A server's side: any workload of the trust domain may connect; who may do what is for authorization to say. */
export function downstreamMeshTls(alpn: readonly string[], trustDomain: string): TransportSocket {
  return create(TransportSocketSchema, {
    name: TLS_SOCKET,
    configType: {
      case: "typedConfig",
      value: pack(DownstreamTlsContextSchema, {
        commonTlsContext: meshTls(alpn, [prefixMatcher(`spiffe://${trustDomain}/`)]),
        requireClientCertificate: true,
      }),
    },
  });
}

export function rawBuffer(): TransportSocket {
  return create(TransportSocketSchema, {
    name: "envoy.transport_sockets.raw_buffer",
    configType: { case: "typedConfig", value: pack(RawBufferSchema, {}) },
  });
}
