// The sidecar form of `meshctl proxy`: settings from flags and the environment that the injector writes.
import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import type { CommandContext } from "../../cli/command.ts";
import { parseHostPort, type HostPort } from "../../common/address.ts";
import { systemClock } from "../../common/clock.ts";
import type { Logger } from "../../common/log.ts";
import { UserError } from "../../common/user-error.ts";
import { buildSidecarBootstrap } from "../../proxy-runtime/config/sidecar-bootstrap.ts";
import { parseNameservers } from "../../proxy-runtime/dns/resolv-conf.ts";
import { startProxy, type ProxyOptions, type RunningProxy } from "../../proxy-runtime/proxy.ts";
import { makeSidecarParts, ownWorkload } from "../../proxy-runtime/sidecar.ts";
import { DEFAULT_CLUSTER_DOMAIN, Env } from "../../xds/names.ts";
import { logLevelsOf } from "./proxy-log-levels.ts";

export async function startSidecar(
  context: CommandContext,
  log: Logger,
  { drainTimeMs, concurrency }: Pick<ProxyOptions, "drainTimeMs" | "concurrency">,
): Promise<RunningProxy> {
  const { options } = context;
  const domain = options["domain"] as string | undefined;
  const discoveryAddress = options["discoveryAddress"] as string | undefined;
  const env = discoveryAddress === undefined ? context.env : { ...context.env, [Env.discoveryAddress]: discoveryAddress };
  checkDomain(domain, env[Env.podNamespace]);
  const bootstrap = buildSidecarBootstrap({ env, domain, dnsCapture: true });
  const sidecar = makeSidecarParts({
    bootstrap,
    env,
    clock: systemClock,
    clusterDomain: domain?.split(".svc.")[1] ?? DEFAULT_CLUSTER_DOMAIN,
    outlivesApp: options["outliveApp"] === true,
    dnsUpstream: toDnsUpstream((options["dnsUpstream"] as string | undefined) ?? "resolv.conf"),
    log: (level, message) => log[level]({}, message),
  });
  return startProxy({
    bootstrap,
    workload: ownWorkload(bootstrap, env),
    clock: systemClock,
    log,
    logLevels: logLevelsOf(log),
    commandLine: { log_level: log.level, concurrency, drain_time: `${drainTimeMs / 1000}s`, service_node: bootstrap.node.id },
    concurrency,
    drainTimeMs,
    sidecar,
  });
}

function checkDomain(domain: string | undefined, namespace = "<namespace>"): void {
  if (domain === undefined || (domain.startsWith(`${namespace}.svc.`) && !domain.endsWith("."))) return;
  throw new UserError(
    `--domain: ${JSON.stringify(domain)} is not the domain of a workload in this namespace`,
    `write ${namespace}.svc.${DEFAULT_CLUSTER_DOMAIN}`,
  );
}

function toDnsUpstream(text: string): "none" | readonly HostPort[] {
  if (text === "none") return "none";
  if (text === "resolv.conf") return parseNameservers(readFileSync("/etc/resolv.conf", "utf8"));
  return text.split(",").map((each) => {
    const server = isIP(each) !== 0 ? { host: each, port: 53 } : parseHostPort(each);
    if (server === undefined || isIP(server.host) === 0) {
      throw new UserError(
        `--dns-upstream: ${JSON.stringify(each)} is no address`,
        "give resolv.conf, none, or addresses such as 10.96.0.10,10.96.0.11:5353",
      );
    }
    return server;
  });
}
