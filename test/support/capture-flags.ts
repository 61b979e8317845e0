// The texts of init's flags as commander hands them over: the defaults, with some of them replaced.
import { Command } from "commander";
import type { HostFiles } from "../../src/capture/capture-options.ts";
import { init } from "../../src/commands/plane/init.ts";

export function captureFlags(changes: Readonly<Record<string, unknown>> = {}): Readonly<Record<string, unknown>> {
  const program = new Command();
  for (const flag of init.flags ?? []) program.option(flag.flags, flag.description, flag.default as string | boolean);
  return { ...program.parse([], { from: "user" }).opts(), ...changes };
}

export const HOST_FILES: HostFiles = {
  passwd: "root:x:0:0:root:/root:/bin/sh\nproxy:x:13:13::/:/bin/false\n",
  group: "root:x:0:\nstaff:x:50:\n",
  resolvConf:
    "# by hand\nsearch shop.svc.cluster.local\nnameserver 10.96.0.10\nnameserver\t10.96.0.11 \nnameserver fd00:96::a%eth0\noptions ndots:5\n",
};
