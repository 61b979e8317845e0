// Every command, under the heading it has in `meshctl --help`. The data is small and loads at once; what a command
// does is loaded when it runs.
import type { CommandGroup } from "../cli/command.ts";
import { completeCommand, completion } from "./about/completion.ts";
import { version } from "./about/version.ts";
import { check } from "./check/check.ts";
import { inject, uninject } from "./inject/inject.ts";
import { local, localProcesses } from "./local/local.ts";
import { controller } from "./plane/controller.ts";
import { install } from "./install/install.ts";
import { uninstall } from "./install/uninstall.ts";
import { upgrade } from "./install/upgrade.ts";
import { init } from "./plane/init.ts";
import { proxy } from "./plane/proxy.ts";
import { proxyConfig } from "./inspect/proxy-config.ts";
import { proxyStatus } from "./inspect/proxy-status.ts";
import { stats } from "./inspect/stats.ts";
import { authn, tlsCheck } from "./inspect/tls-check.ts";

export const COMMANDS: readonly CommandGroup[] = [
  { heading: "Run a mesh on this machine:", commands: [local] },
  { heading: "Install the mesh in a cluster:", commands: [install, upgrade, uninstall, check] },
  { heading: "Put workloads into the mesh:", commands: [inject, uninject] },
  { heading: "See what a workload does:", commands: [proxyStatus, proxyConfig, stats, tlsCheck, authn] },
  { heading: "Parts of the mesh (started by the mesh itself):", commands: [controller, init, proxy, ...localProcesses] },
  { heading: "About:", commands: [version, completion, completeCommand(() => COMMANDS)] },
];
