// Flags that install, upgrade and uninstall share. The words of profiles stand here again because manifests/ loads zod.
import type { Flag } from "../../cli/command.ts";
import { durationFlag, repeated } from "../../cli/flags.ts";

const DAY_MS = 24 * 3_600_000;

export function valueFlags(): Flag[] {
  return [
    { flags: "--profile <name>", description: "what is installed where no value says otherwise", choices: ["default", "ha", "minimal"] },
    {
      flags: "-f, --values <file>",
      description: "YAML file with values, or - for standard input; may be repeated, the later one wins",
      parse: repeated,
    },
    {
      flags: "--set <path=value>",
      description: "one value, such as controller.replicas=2; may be repeated, and wins over files",
      parse: repeated,
    },
  ];
}

export function applyFlags(): Flag[] {
  return [
    { flags: "--apply", description: "apply it to the cluster, by server-side apply, instead of printing it" },
    {
      flags: "--wait [timeout]",
      description: "with --apply: wait until the controller is ready (default timeout: 5m)",
      parse: durationFlag("--wait", 1000, DAY_MS, "from 1s to 24h"),
    },
    {
      flags: "--dry-run <where>",
      description: "with --apply: let the API server check and answer everything, and keep nothing",
      choices: ["server"],
    },
    { flags: "--force-conflicts", description: "with --apply: take over fields that others manage" },
  ];
}
