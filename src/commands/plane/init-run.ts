// What `meshctl init` does: reads the options, then prints, applies, verifies or removes the rules.
import { readFileSync } from "node:fs";
import type { CommandContext } from "../../cli/command.ts";
import { applyRules } from "../../capture/apply-rules.ts";
import { readCaptureOptions } from "../../capture/capture-options.ts";
import type { CaptureOptions } from "../../capture/capture-options.ts";
import { requireKnownOwners, requireNetAdmin } from "../../capture/diagnosis.ts";
import { hasIpv6, readIpv6Addresses } from "../../capture/pod-addresses.ts";
import { planRemoval, removeRules } from "../../capture/remove-rules.ts";
import { restoreProgram } from "../../capture/restore-tables.ts";
import { dryRunText, familyRules } from "../../capture/rules/rules.ts";
import type { Family, FamilyRules } from "../../capture/rules/table-rules.ts";
import { USAGE_EXIT_CODE, UserError } from "../../common/user-error.ts";

const VERIFY_FAILED = 126;

export async function run(context: CommandContext): Promise<number | void> {
  const given = context.options;
  const path = context.env.PATH;
  const say = (line: string): unknown => context.stdout.write(`${line}\n`);
  refuseContradictions(given);
  if (given.cleanup === true || given.cleanupOnly === true) return cleanup(given, path, say);

  const verifies = given.verify === true || given.runValidation === true;
  const options = readCaptureOptions(given, {
    passwd: readText("/etc/passwd"),
    group: readText("/etc/group"),
    resolvConf: readText("/etc/resolv.conf"),
  });
  if (given.skipRuleApply === true && !verifies)
    throw new UserError("--skip-rule-apply leaves nothing to do", "add --verify, to test the rules that are there");
  const families = wantedFamilies(options);
  if (given.dryRun === true) {
    context.stdout.write(dryRunText(families));
    return;
  }
  requireNetAdmin();
  requireKnownOwners(
    {
      uids: options.proxyUids,
      gids: [...options.proxyGids, ...options.ownerGroups, ...options.ownerGroupsExcluded],
    },
    { uid: readText("/proc/self/uid_map"), gid: readText("/proc/self/gid_map") },
  );
  if (given.skipRuleApply !== true) {
    const outcome = await applyRules({ families, reconcile: given.reconcile === true, forceApply: given.forceApply === true, path });
    const where = `${families.map(familyTitle).join(" and ")}, ${outcome.backend.program} (${outcome.backend.kind})`;
    say(
      outcome.changed
        ? `traffic capture is set up: ${summary(options)} [${where}]`
        : `nothing to do: the rules are in place already [${where}]`,
    );
  }
  if (!verifies) return;
  const { verifyCapture } = await import("../../capture/verify/verify.ts");
  const report = await verifyCapture(
    options,
    families.map((each) => each.family),
    path,
  );
  for (const line of report.proved) say(`verified: ${line}`);
  for (const line of report.skipped) say(`not tested: ${line}`);
  if (report.failure === undefined) return;
  throw new UserError(report.failure.message, report.failure.hint, VERIFY_FAILED);
}

/** Pairs of which the second would be ignored. */
function refuseContradictions(given: CommandContext["options"]): void {
  const flags = {
    verify: "--verify",
    runValidation: "--run-validation",
    reconcile: "--reconcile",
    forceApply: "--force-apply",
    skipRuleApply: "--skip-rule-apply",
  };
  const refuse = (first: string, keys: readonly (keyof typeof flags)[]): void => {
    const second = keys.find((key) => given[key] === true);
    if (second !== undefined)
      throw new UserError(`${first} and ${flags[second]} exclude each other`, "leave one of them out", USAGE_EXIT_CODE);
  };
  if (given.cleanup === true || given.cleanupOnly === true)
    refuse("--cleanup", ["verify", "runValidation", "reconcile", "forceApply", "skipRuleApply"]);
  else if (given.dryRun === true) refuse("--dry-run", ["verify", "runValidation", "reconcile", "forceApply", "skipRuleApply"]);
  if (given.skipRuleApply === true) refuse("--skip-rule-apply", ["reconcile", "forceApply"]);
}

async function cleanup(given: CommandContext["options"], path: string | undefined, say: (line: string) => unknown): Promise<void> {
  requireNetAdmin();
  if (given.dryRun === true) {
    const { removals } = await planRemoval(path);
    for (const removal of removals) say(`# ${restoreProgram(removal.backend, removal.family)} --noflush\n${removal.block}`);
    if (removals.length === 0) say("# nothing to remove");
    return;
  }
  say((await removeRules(path)) ? "traffic capture is removed" : "nothing to remove: no rules of meshctl are here");
}

function wantedFamilies(options: CaptureOptions): readonly FamilyRules[] {
  const families: readonly Family[] = options.dualStack || hasIpv6(readIpv6Addresses()) ? ["ipv4", "ipv6"] : ["ipv4"];
  return families.map((family) => familyRules(options, family));
}

function familyTitle(rules: FamilyRules): string {
  return rules.family === "ipv4" ? "IPv4" : "IPv6";
}

function summary(options: CaptureOptions): string {
  const parts = [`outbound to port ${options.outboundPort}`, `inbound to port ${options.inboundPort}`];
  if (options.outboundRanges.length === 0 && options.outboundPorts.length === 0) parts[0] = "nothing outbound";
  if (options.inboundPorts.length === 0) parts[1] = "nothing inbound";
  if (options.dns !== undefined) parts.push(options.dns.everyServer ? "all DNS" : "DNS");
  return parts.join(", ");
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
