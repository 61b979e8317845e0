// Transport sockets: UpstreamTlsContext, DownstreamTlsContext and raw_buffer → TLS contexts that refer to secrets by name.
import { getCiphers } from "node:tls";
import type { Any } from "@bufbuild/protobuf/wkt";
import type { TransportSocket } from "../../xds/gen/envoy/config/core/v3/base_pb.ts";
import type { ConfigSource } from "../../xds/gen/envoy/config/core/v3/config_source_pb.ts";
import { ApiConfigSource_ApiType as ApiType } from "../../xds/gen/envoy/config/core/v3/config_source_pb.ts";
import { RawBufferSchema } from "../../xds/gen/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer_pb.ts";
import type { TlsParameters } from "../../xds/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.ts";
import {
  TlsParameters_TlsProtocol as TlsProtocol,
  TlsParametersSchema,
} from "../../xds/gen/envoy/extensions/transport_sockets/tls/v3/common_pb.ts";
import type { SdsSecretConfig } from "../../xds/gen/envoy/extensions/transport_sockets/tls/v3/secret_pb.ts";
import type { CommonTlsContext } from "../../xds/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts";
import {
  CommonTlsContext_CombinedCertificateValidationContextSchema,
  CommonTlsContextSchema,
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
} from "../../xds/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts";
import { ClusterName } from "../../xds/names.ts";
import { decodeCertificate, decodePartialValidation, decodeValidation } from "./decode-secret.ts";
import type { Decoding, SecretSource } from "./decoding.ts";
import { fieldRules, join, typeName } from "./decoding.ts";
import type { DownstreamTlsConfig, SanMatch, TlsContextConfig, UpstreamTlsConfig } from "./tls-config.ts";

const COMMON = fieldRules(CommonTlsContextSchema, [
  "tls_params",
  "tls_certificates",
  "tls_certificate_sds_secret_configs",
  "validation_context",
  "validation_context_sds_secret_config",
  "combined_validation_context",
  "alpn_protocols",
]);
const COMBINED = fieldRules(CommonTlsContext_CombinedCertificateValidationContextSchema, [
  "default_validation_context",
  "validation_context_sds_secret_config",
]);
const PARAMETERS = fieldRules(TlsParametersSchema, ["tls_minimum_protocol_version", "tls_maximum_protocol_version", "cipher_suites"]);
const UPSTREAM = fieldRules(UpstreamTlsContextSchema, ["common_tls_context", "sni"], {
  max_session_keys: "sessions are an optimisation; how many are kept changes no outcome",
  enforce_rsa_key_usage: "OpenSSL checks key usage always",
});
const DOWNSTREAM = fieldRules(DownstreamTlsContextSchema, ["common_tls_context", "require_client_certificate", "ocsp_staple_policy"], {
  disable_stateless_session_resumption: "resumption is an optimisation that a server may refuse",
  disable_stateful_session_resumption: "resumption is an optimisation that a server may refuse",
  session_timeout: "resumption is an optimisation that a server may refuse",
  full_scan_certs_on_sni_mismatch: "there is one certificate to choose from",
});
const POSSIBLE = "raw_buffer and TLS (envoy.extensions.transport_sockets.tls.v3)";

/** A cluster's transport socket; undefined: plaintext. */
export function decodeUpstreamTransportSocket(
  decoding: Decoding,
  socket: TransportSocket | undefined,
  path: string,
): UpstreamTlsConfig | undefined {
  const any = tlsContext(decoding, socket, path);
  if (any === undefined) return undefined;
  const inner = join(path, "typed_config");
  const context = decoding.unpack(any, UpstreamTlsContextSchema, inner, POSSIBLE);
  if (context === undefined) return undefined;
  decoding.check(UPSTREAM, context, inner);
  if (context.sni.length > 255) decoding.problem(join(inner, "sni"), "longer than 255 characters");
  const common = decodeCommon(decoding, context.commonTlsContext, join(inner, "common_tls_context"), "TLSv1.2");
  return { ...common, sni: context.sni === "" ? undefined : context.sni };
}

/** A filter chain's transport socket; undefined: plaintext. */
export function decodeDownstreamTransportSocket(
  decoding: Decoding,
  socket: TransportSocket | undefined,
  path: string,
): DownstreamTlsConfig | undefined {
  const any = tlsContext(decoding, socket, path);
  if (any === undefined) return undefined;
  const inner = join(path, "typed_config");
  const context = decoding.unpack(any, DownstreamTlsContextSchema, inner, POSSIBLE);
  if (context === undefined) return undefined;
  decoding.check(DOWNSTREAM, context, inner);
  // 0 is LENIENT_STAPLING: staple what there is, and there is none.
  if (context.ocspStaplePolicy !== 0) decoding.unsupported(join(inner, "ocsp_staple_policy"), "only LENIENT_STAPLING");
  const common = decodeCommon(decoding, context.commonTlsContext, join(inner, "common_tls_context"), "TLSv1.3");
  if (common.certificateSecret === undefined)
    decoding.problem(join(inner, "common_tls_context"), "a server needs tls_certificates or tls_certificate_sds_secret_configs");
  const requireClientCertificate = context.requireClientCertificate ?? false;
  return { ...common, requireClientCertificate };
}

function tlsContext(decoding: Decoding, socket: TransportSocket | undefined, path: string): Any | undefined {
  if (socket === undefined) return undefined;
  const any = socket.configType.case === "typedConfig" ? socket.configType.value : undefined;
  if (any === undefined) {
    if (socket.name !== "envoy.transport_sockets.raw_buffer")
      decoding.problem(join(path, "typed_config"), `missing; meshctl supports ${POSSIBLE}`);
    return undefined;
  }
  return typeName(any) === RawBufferSchema.typeName ? undefined : any;
}

function decodeCommon(
  decoding: Decoding,
  common: CommonTlsContext | undefined,
  path: string,
  defaultMax: "TLSv1.2" | "TLSv1.3",
): TlsContextConfig {
  if (common === undefined) {
    return {
      certificateSecret: undefined,
      validationSecret: undefined,
      sanMatches: [],
      alpn: [],
      minVersion: "TLSv1.2",
      maxVersion: defaultMax,
      cipherSuites: [],
    };
  }
  decoding.check(COMMON, common, path);
  const validation = decodeValidationContext(decoding, common, path);
  common.alpnProtocols.forEach((token, index) => {
    if (token === "" || token.length > 255) decoding.problem(`${join(path, "alpn_protocols")}[${index}]`, "must have 1 to 255 characters");
  });
  return {
    certificateSecret: decodeOwnCertificate(decoding, common, path),
    validationSecret: validation.secret,
    sanMatches: validation.sanMatches,
    alpn: common.alpnProtocols,
    ...decodeParameters(decoding, common.tlsParams, join(path, "tls_params"), defaultMax),
  };
}

function decodeOwnCertificate(decoding: Decoding, common: CommonTlsContext, path: string): string | undefined {
  const sds = common.tlsCertificateSdsSecretConfigs;
  const inline = common.tlsCertificates;
  if (sds.length + inline.length > 1) {
    decoding.unsupported(
      join(path, inline.length > 0 ? "tls_certificates" : "tls_certificate_sds_secret_configs"),
      "more than one certificate",
    );
  }
  if (inline[0] !== undefined) {
    const secret = decodeCertificate(decoding, inline[0], `${join(path, "tls_certificates")}[0]`);
    decoding.addInlineSecret(secret);
    return secret.name;
  }
  return sds[0] === undefined ? undefined : decodeSds(decoding, sds[0], `${join(path, "tls_certificate_sds_secret_configs")}[0]`);
}

function decodeValidationContext(
  decoding: Decoding,
  common: CommonTlsContext,
  path: string,
): { secret: string | undefined; sanMatches: readonly SanMatch[] } {
  const type = common.validationContextType;
  switch (type.case) {
    case "validationContext": {
      const secret = decodeValidation(decoding, type.value, join(path, "validation_context"));
      if (secret.rootsPem === "") return { secret: undefined, sanMatches: [] };
      decoding.addInlineSecret(secret);
      return { secret: secret.name, sanMatches: [] };
    }
    case "validationContextSdsSecretConfig":
      return { secret: decodeSds(decoding, type.value, join(path, "validation_context_sds_secret_config")), sanMatches: [] };
    case "combinedValidationContext": {
      const inner = join(path, "combined_validation_context");
      decoding.check(COMBINED, type.value, inner);
      const defaults = type.value.defaultValidationContext;
      const defaultsPath = join(inner, "default_validation_context");
      const value = defaults === undefined ? undefined : decodePartialValidation(decoding, defaults, defaultsPath);
      if (value !== undefined && value.rootsPem !== "")
        decoding.unsupported(join(defaultsPath, "trusted_ca"), "roots come from the secret here");
      const sdsPath = join(inner, "validation_context_sds_secret_config");
      const sds = type.value.validationContextSdsSecretConfig;
      if (sds === undefined) {
        decoding.problem(sdsPath, "missing");
        return { secret: undefined, sanMatches: [] };
      }
      return { secret: decodeSds(decoding, sds, sdsPath), sanMatches: value?.sanMatches ?? [] };
    }
    default:
      return { secret: undefined, sanMatches: [] };
  }
}

function decodeSds(decoding: Decoding, sds: SdsSecretConfig, path: string): string {
  if (sds.name === "") decoding.problem(join(path, "name"), "missing");
  const source = secretSource(decoding, sds.sdsConfig, join(path, "sds_config"));
  if (source !== undefined) decoding.referToSecret(sds.name, source, path);
  return sds.name;
}

function secretSource(decoding: Decoding, source: ConfigSource | undefined, path: string): SecretSource | undefined {
  if (source === undefined) return "static";
  const specifier = source.configSourceSpecifier;
  if (specifier.case === "ads" || specifier.case === "self") return "ads";
  if (specifier.case === "apiConfigSource") {
    const service = specifier.value.grpcServices[0]?.targetSpecifier;
    if (specifier.value.apiType === ApiType.GRPC && service?.case === "envoyGrpc" && service.value.clusterName === ClusterName.sds)
      return "identity";
    decoding.unsupported(
      join(path, "api_config_source"),
      `secrets come over ads or from the proxy's own identity (GRPC, cluster ${ClusterName.sds})`,
    );
    return undefined;
  }
  decoding.unsupported(path, `secrets come over ads, from the bootstrap or from the proxy's own identity (cluster ${ClusterName.sds})`);
  return undefined;
}

type Parameters = Pick<TlsContextConfig, "minVersion" | "maxVersion" | "cipherSuites">;

function decodeParameters(
  decoding: Decoding,
  parameters: TlsParameters | undefined,
  path: string,
  defaultMax: "TLSv1.2" | "TLSv1.3",
): Parameters {
  if (parameters === undefined) return { minVersion: "TLSv1.2", maxVersion: defaultMax, cipherSuites: [] };
  decoding.check(PARAMETERS, parameters, path);
  const minVersion = version(decoding, parameters.tlsMinimumProtocolVersion, "TLSv1.2", join(path, "tls_minimum_protocol_version"));
  // A minimum above the default maximum raises it: nobody means "no version at all".
  const unsetMax = minVersion === "TLSv1.3" ? "TLSv1.3" : defaultMax;
  const maxVersion = version(decoding, parameters.tlsMaximumProtocolVersion, unsetMax, join(path, "tls_maximum_protocol_version"));
  if (minVersion > maxVersion) decoding.problem(join(path, "tls_minimum_protocol_version"), "above tls_maximum_protocol_version");
  const cipherSuites = parameters.cipherSuites.flatMap((suite) => suite.replace(/^\[(.*)\]$/, "$1").split("|"));
  const known = cipherSuites.length === 0 ? undefined : new Set(getCiphers());
  for (const suite of cipherSuites) {
    if (known?.has(suite.toLowerCase()) !== true)
      decoding.problem(join(path, "cipher_suites"), `unknown cipher suite ${JSON.stringify(suite)}`);
  }
  return { minVersion, maxVersion, cipherSuites };
}

function version(decoding: Decoding, protocol: TlsProtocol, unset: "TLSv1.2" | "TLSv1.3", path: string): "TLSv1.2" | "TLSv1.3" {
  switch (protocol) {
    case TlsProtocol.TLS_AUTO:
      return unset;
    case TlsProtocol.TLSv1_2:
      return "TLSv1.2";
    case TlsProtocol.TLSv1_3:
      return "TLSv1.3";
    default:
      decoding.unsupported(path, "only TLSv1_2 and TLSv1_3");
      return unset;
  }
}
