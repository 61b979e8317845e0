// upgrade_configs of connection managers and routes → which upgrades may pass, CONNECT among them.
import type { RouteAction_UpgradeConfig as RouteUpgrade } from "../../xds/gen/envoy/config/route/v3/route_components_pb.ts";
import {
  RouteAction_UpgradeConfig_ConnectConfigSchema as ConnectConfigSchema,
  RouteAction_UpgradeConfigSchema as RouteUpgradeSchema,
} from "../../xds/gen/envoy/config/route/v3/route_components_pb.ts";
import type { HttpConnectionManager_UpgradeConfig as ManagerUpgrade } from "../../xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts";
import { HttpConnectionManager_UpgradeConfigSchema as ManagerUpgradeSchema } from "../../xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts";
import type { Decoding } from "./decoding.ts";
import { fieldRules, join } from "./decoding.ts";
import { CONNECT_UPGRADE, isIgnoredOffer, isProtocol, type Upgrades } from "./upgrades.ts";

const MANAGER = fieldRules(ManagerUpgradeSchema, ["upgrade_type", "enabled"]);
const ROUTE = fieldRules(RouteUpgradeSchema, ["upgrade_type", "enabled", "connect_config"]);
const CONNECT = fieldRules(ConnectConfigSchema, []);

export function decodeManagerUpgrades(decoding: Decoding, configs: readonly ManagerUpgrade[], path: string): Upgrades {
  configs.forEach((each, index) => decoding.check(MANAGER, each, `${path}[${index}]`));
  return decodeTypes(decoding, configs, path);
}

export interface RouteUpgrades {
  /** In place of what the connection manager says of the same token. */
  readonly upgrades: Upgrades;
  /** CONNECT ends here: what it carries goes to the upstream as plain TCP. */
  readonly terminatesConnect: boolean;
}

export function decodeRouteUpgrades(decoding: Decoding, configs: readonly RouteUpgrade[], path: string): RouteUpgrades {
  configs.forEach((each, index) => {
    const inner = `${path}[${index}]`;
    decoding.check(ROUTE, each, inner);
    if (each.connectConfig === undefined) return;
    decoding.check(CONNECT, each.connectConfig, join(inner, "connect_config"));
    if (each.upgradeType.toLowerCase() !== CONNECT_UPGRADE)
      decoding.problem(join(inner, "connect_config"), "is for upgrade_type CONNECT only");
  });
  return { upgrades: decodeTypes(decoding, configs, path), terminatesConnect: configs.some((each) => each.connectConfig !== undefined) };
}

function decodeTypes(
  decoding: Decoding,
  configs: readonly { readonly upgradeType: string; readonly enabled?: boolean | undefined }[],
  path: string,
): Upgrades {
  const upgrades = new Map<string, boolean>();
  configs.forEach((each, index) => {
    const type = each.upgradeType.toLowerCase();
    const inner = join(`${path}[${index}]`, "upgrade_type");
    if (type === "") decoding.problem(inner, "missing");
    else if (!isProtocol(type)) decoding.problem(inner, `not a protocol that a request can name: ${JSON.stringify(each.upgradeType)}`);
    else if (isIgnoredOffer(type) && type !== CONNECT_UPGRADE)
      decoding.unsupported(inner, `requests inside ${each.upgradeType} would bypass routes and policies; offers of it are ignored`);
    if (upgrades.has(type)) decoding.problem(inner, `${JSON.stringify(each.upgradeType)} stands twice`);
    upgrades.set(type, each.enabled ?? true);
  });
  return upgrades;
}
