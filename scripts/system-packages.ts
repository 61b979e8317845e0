// The system programs that `npm run demo`, `npm test` and `npm run bench` need, and how a machine gets the missing ones:
// installed by apt where we are root on Debian or Ubuntu, named with the command that installs them anywhere else.
import { spawn } from "node:child_process";
import { accessSync, constants, existsSync, readdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import { UserError } from "../src/common/user-error.ts";
import { DENY_STARTS } from "./service-starts.ts";

type PackageSystem = "apt" | "dnf" | "apk" | "pacman" | "zypper";

/** A package by its name in each package system. */
type PackageNames = Readonly<Record<PackageSystem, string>>;

const same = (name: string): PackageNames => ({ apt: name, dnf: name, apk: name, pacman: name, zypper: name });

/** Program → the package that holds it. */
const PACKAGE_OF = {
  iptables: same("iptables"),
  ip6tables: same("iptables"),
  ip: { ...same("iproute2"), dnf: "iproute" },
  unshare: same("util-linux"),
  nsenter: same("util-linux"),
  setpriv: { ...same("util-linux"), apk: "setpriv" },
  mount: { ...same("util-linux"), apt: "mount", apk: "mount" },
  newuidmap: { apt: "uidmap", dnf: "shadow-utils", apk: "shadow-uidmap", pacman: "shadow", zypper: "shadow" },
  tcpdump: same("tcpdump"),
  curl: same("curl"),
  openssl: same("openssl"),
  haproxy: same("haproxy"),
  nginx: same("nginx"),
  wrk: same("wrk"),
  h2load: { apt: "nghttp2-client", dnf: "nghttp2", apk: "nghttp2", pacman: "libnghttp2", zypper: "nghttp2" },
  taskset: { ...same("util-linux"), apk: "util-linux-misc" },
} as const satisfies Record<string, PackageNames>;

export type Program = keyof typeof PACKAGE_OF;

const LOCAL_MESH = ["iptables", "ip6tables", "ip", "unshare", "nsenter", "setpriv", "mount"] as const;
const FAST_TESTS = ["openssl", "curl"] as const;

/** Which programs a command of package.json starts. */
export const NEEDS = {
  demo: LOCAL_MESH,
  "test:fast": FAST_TESTS,
  test: [...LOCAL_MESH, ...FAST_TESTS, "tcpdump", "newuidmap"],
  bench: ["haproxy", "nginx", "wrk", "h2load", "openssl", "taskset"],
} as const satisfies Record<string, readonly Program[]>;

/** Packages whose installation would start a daemon and start it again at every boot. */
const WITH_DAEMON: ReadonlySet<string> = new Set(["haproxy", "nginx"]);

/** What is asked of the machine; the tests hand in their own. */
export interface Machine {
  readonly platform: string;
  readonly isRoot: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  hasProgram(name: string): boolean;
  /** True where apt has never fetched its lists: then `apt-get update` comes first. */
  lacksPackageLists(): boolean;
  /** Keeps packages from starting daemons while `work` runs, then puts back what was there. */
  withoutServiceStarts<T>(work: () => Promise<T>): Promise<T>;
  /** Exit code of a command whose output goes to the terminal. */
  run(command: readonly string[], env: Readonly<Record<string, string>>): Promise<number>;
  print(line: string): void;
}

const INSTALLERS: readonly { readonly system: PackageSystem; readonly program: string; readonly command: readonly string[] }[] = [
  { system: "apt", program: "apt-get", command: ["apt-get", "install", "-y", "--no-install-recommends"] },
  { system: "dnf", program: "dnf", command: ["dnf", "install", "-y"] },
  { system: "apk", program: "apk", command: ["apk", "add"] },
  { system: "pacman", program: "pacman", command: ["pacman", "-S", "--needed"] },
  { system: "zypper", program: "zypper", command: ["zypper", "install"] },
];

/**
 * Makes sure that every program of `purpose` is there. Looks for the programs first, so a machine that has them pays
 * some file look-ups and nothing else.
 * @throws UserError that names what is missing and the command that installs it.
 */
export async function ensureSystemPackages(purpose: keyof typeof NEEDS, machine: Machine = thisMachine()): Promise<void> {
  const missing = NEEDS[purpose].filter((name) => !machine.hasProgram(name));
  if (missing.length === 0) return;
  const title = `${purpose === "test" ? "npm test" : `npm run ${purpose}`} needs ${missing.join(", ")}`;
  if (machine.platform !== "linux") {
    throw new UserError(`${title}, which only Linux has (this is ${machine.platform})`, "run it in a Linux machine or container");
  }
  const installer = INSTALLERS.find((each) => machine.hasProgram(each.program));
  if (installer === undefined) {
    throw new UserError(`${title}, and no known package manager is here to install them`, "install these programs and run it again");
  }
  const packages = [...new Set(missing.map((name) => PACKAGE_OF[name][installer.system]))].sort();
  const install = [...installer.command, ...packages];
  const line = install.join(" ");
  if (machine.env["MESHCTL_NO_INSTALL"])
    throw new UserError(`${title}, and MESHCTL_NO_INSTALL is set`, `install them with: ${asRoot(line, machine)}`);
  if (installer.system !== "apt" || !machine.isRoot) throw new UserError(title, `install them with: ${asRoot(line, machine)}`);
  await installWithApt(title, install, packages, machine);
  const still = missing.filter((name) => !machine.hasProgram(name));
  if (still.length > 0) throw new UserError(`${still.join(", ")} still missing after: ${line}`, "see what apt-get printed above");
}

function asRoot(line: string, machine: Machine): string {
  return machine.isRoot ? line : `sudo ${line}`;
}

async function installWithApt(title: string, install: readonly string[], packages: readonly string[], machine: Machine): Promise<void> {
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  const perform = async (command: readonly string[]): Promise<boolean> => {
    machine.print(`+ ${command.join(" ")}`);
    return (await machine.run(command, env)) === 0;
  };
  const update = ["apt-get", "update"];
  machine.print(title);
  let isFresh = false;
  if (machine.lacksPackageLists()) isFresh = await perform(update);
  const daemons = packages.filter((name) => WITH_DAEMON.has(name));
  await machine.withoutServiceStarts(async () => {
    if (await perform(install)) return;
    // Old lists name versions that the archive no longer has: fetch them anew, once.
    if (!isFresh && (await perform(update)) && (await perform(install))) return;
    throw new UserError(`this command failed: ${install.join(" ")}`, "see what apt-get printed above; run it by hand, then try again");
  });
  // Without this the next boot would start what we kept from starting now.
  if (daemons.length > 0 && machine.hasProgram("systemctl")) await perform(["systemctl", "disable", ...daemons]);
}

function thisMachine(): Machine {
  // A user's PATH often lacks the sbin folders that hold iptables and ip.
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/local/sbin", "/usr/sbin", "/sbin"].filter((each) => each !== "");
  return {
    platform: process.platform,
    isRoot: process.getuid?.() === 0,
    env: process.env,
    hasProgram: (name) => folders.some((folder) => isExecutable(join(folder, name))),
    lacksPackageLists: () => {
      const lists = "/var/lib/apt/lists";
      return !existsSync(lists) || !readdirSync(lists).some((name) => name.includes("_Packages"));
    },
    withoutServiceStarts: (work) => DENY_STARTS.during(work),
    run: ([program, ...args], env) =>
      new Promise((resolve, reject) => {
        const child = spawn(program!, args, { stdio: "inherit", env: { ...process.env, ...env } });
        child.once("error", reject);
        child.once("exit", (code) => resolve(code ?? 1));
      }),
    print: (line) => void process.stderr.write(`${line}\n`),
  };
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
