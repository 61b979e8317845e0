// Runs the control plane until SIGTERM or SIGINT.
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { CommandContext } from "../../cli/command.ts";
import { parseHostPort } from "../../common/address.ts";
import type { HostPort } from "../../common/address.ts";
import { systemClock } from "../../common/clock.ts";
import { createLog } from "../../common/log.ts";
import type { LogFormat, LogLevel } from "../../common/log.ts";
import { UserError } from "../../common/user-error.ts";
import { LOCAL_TOKEN_ISSUER } from "../../ca/client/service-account-token.ts";
import { startController } from "../../control-plane/controller.ts";
import type { ControllerOptions } from "../../control-plane/controller.ts";
import type { PathNormalization } from "../../control-plane/registry/mesh-snapshot.ts";
import { SourceStopped } from "../../control-plane/sources/source.ts";
import { VERSION } from "../../common/version.ts";
import { Port } from "../../xds/names.ts";
import { openSources } from "./controller-sources.ts";

export async function run(context: CommandContext): Promise<number> {
  const settings = toControllerOptions(context);
  const { log } = settings;
  const { sources, connection } = await openSources(context, log);
  const cluster = connection === undefined ? undefined : { connection, replica: `${hostname()}_${randomUUID()}` };
  requireTokenKeys(settings, cluster);
  requireCluster(settings, cluster);
  const options: ControllerOptions = { ...settings, sources, cluster };
  // Before starting, so that a signal during the start isn't lost.
  const stopping = new Promise<NodeJS.Signals>((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => resolve(signal));
  });
  let isStarting = true;
  // A cluster may keep it waiting; the sources are the part that does. Once it runs, it stops them in its own order.
  void stopping.then(() => isStarting && sources.forEach((each) => each.stop()));
  const controller = await startController(options).catch((error: unknown) => {
    if (error instanceof SourceStopped) return undefined;
    connection?.close();
    throw error;
  });
  isStarting = false;
  const signal = await stopping;
  log.info({ signal }, "stopping");
  if (controller === undefined) return 0;
  await controller.stop();
  return 0;
}

function toControllerOptions({ args, options, stderr }: CommandContext): Omit<ControllerOptions, "sources" | "cluster"> {
  if (args.length > 0) throw new UserError(`unexpected argument ${JSON.stringify(args[0])}`, "directories are given with --source");
  const text = (name: string): string | undefined => options[name] as string | undefined;
  const texts = (name: string): readonly string[] => (options[name] as readonly string[] | undefined) ?? [];

  const xdsAddress = toAddress("--xds-address", text("xdsAddress"));
  const secure = toSecure(text, texts("tlsSan"), options["workloadCertTtl"] as number | undefined);
  if (xdsAddress === undefined && secure === undefined) {
    throw new UserError("no port serves sidecars", "give --xds-address, or --secure-address for the secure port");
  }
  return {
    settings: {
      trustDomain: matching(
        "--trust-domain",
        text("trustDomain"),
        TRUST_DOMAIN,
        "lower-case letters, digits, dots, dashes and underscores",
      ),
      clusterDomain: matching("--cluster-domain", text("clusterDomain"), DNS_NAME, "a DNS name such as cluster.local"),
      rootNamespace: matching("--root-namespace", text("rootNamespace"), DNS_LABEL, "the name of a namespace"),
      clusterId: matching("--cluster-id", text("clusterId"), /\S/, "a name"),
      accessLogPath: text("accessLog"),
      pathNormalization: text("pathNormalization") as PathNormalization,
      protocolDetectionTimeoutMs: options["protocolDetectionTimeout"] as number,
    },
    xdsAddress,
    secure,
    webhooks: toWebhooks(text),
    monitoringAddress: toAddress("--monitoring-address", text("monitoringAddress")),
    clock: systemClock,
    log: createLog({ level: text("logLevel") as LogLevel, format: text("logFormat") as LogFormat, stream: stderr }),
  };
}

// SPIFFE-ID specification, section 2.1; RFC 1123 for the others.
const TRUST_DOMAIN = /^[a-z0-9._-]{1,255}$/;
const DNS_LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;
const DNS_NAME = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/;

function matching(flag: string, text: string | undefined, pattern: RegExp, what: string): string {
  if (text === undefined || !pattern.test(text)) throw new UserError(`${flag}: ${JSON.stringify(text)} can't be used`, `give ${what}`);
  return text;
}

function toSecure(
  text: (name: string) => string | undefined,
  serverNames: readonly string[],
  workloadTtlMs: number | undefined,
): ControllerOptions["secure"] {
  const tokenKeysFile = text("tokenIssuerKeys");
  const given = text("secureAddress");
  const address = toAddress("--secure-address", given ?? (tokenKeysFile === undefined ? undefined : `[::]:${Port.xdsSecure}`));
  if (address === undefined) {
    for (const [flag, value] of [
      ["--ca-dir", text("caDir")],
      ["--token-issuer", text("tokenIssuer")],
      ["--tls-san", serverNames[0]],
      ["--workload-cert-ttl", workloadTtlMs],
    ] as const) {
      if (value !== undefined && given !== "none")
        throw new UserError(`${flag} needs the secure port`, "give --secure-address, or --token-issuer-keys for a mesh from files");
    }
    return undefined;
  }
  return {
    address,
    authorityFolder: text("caDir"),
    tokenKeysFile,
    tokenIssuer: text("tokenIssuer") ?? LOCAL_TOKEN_ISSUER,
    serverNames,
    workloadTtlS: workloadTtlMs === undefined ? undefined : workloadTtlMs / 1000,
  };
}

function toWebhooks(text: (name: string) => string | undefined): ControllerOptions["webhooks"] {
  const address = toAddress("--webhook-address", text("webhookAddress"));
  if (address === undefined) return undefined;
  const sidecarImage = text("sidecarImage") ?? `meshctl:${VERSION}`;
  if (!/^\S+$/.test(sidecarImage)) throw new UserError(`--sidecar-image wants the name of an image, not ${JSON.stringify(sidecarImage)}`);
  return { address, sidecarImage };
}

/** Webhooks have a caller, and a certificate that it believes. */
function requireCluster({ webhooks, secure }: Pick<ControllerOptions, "webhooks" | "secure">, cluster: ControllerOptions["cluster"]): void {
  if (webhooks === undefined) return;
  if (cluster === undefined) throw new UserError("--webhook-address needs a cluster", "name one with --kubeconfig or --context");
  if (secure === undefined) throw new UserError("--webhook-address needs --secure-address", "its CA signs the webhooks' certificate");
}

/** What serves files has nobody to ask about tokens. */
function requireTokenKeys({ secure }: Pick<ControllerOptions, "secure">, cluster: ControllerOptions["cluster"]): void {
  if (secure === undefined || secure.tokenKeysFile !== undefined || cluster !== undefined) return;
  const hint = "it must know whose tokens to believe: give the JWKS file, or read the mesh from a cluster, which can be asked";
  throw new UserError("--secure-address needs --token-issuer-keys", hint);
}

function toAddress(flag: string, text: string | undefined): HostPort | undefined {
  if (text === undefined || text === "none") return undefined;
  const address = parseHostPort(text);
  if (address === undefined)
    throw new UserError(`${flag}: ${JSON.stringify(text)} is not an address`, "write host:port, such as 127.0.0.1:15010 or [::]:15012");
  return address;
}
