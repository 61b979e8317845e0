import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ensureSystemPackages, NEEDS } from "../../../scripts/system-packages.ts";
import type { Machine } from "../../../scripts/system-packages.ts";
import { UserError } from "../../../src/common/user-error.ts";

const ALL: readonly string[] = Object.values(NEEDS).flat();

/** A machine on paper: which programs it has, what its commands do, and what was asked of it. */
class PaperMachine implements Machine {
  platform = "linux";
  isRoot = true;
  env: Record<string, string | undefined> = {};
  hasLists = true;
  areStartsDenied = false;
  readonly programs: Set<string>;
  readonly commands: string[] = [];
  readonly printed: string[] = [];
  /** Exit code of each command; by default apt-get install provides what it is named for. */
  onRun: (line: string) => number = () => {
    ALL.forEach((name) => this.programs.add(name));
    return 0;
  };

  constructor(programs: readonly string[]) {
    this.programs = new Set(programs);
  }
  hasProgram(name: string): boolean {
    return this.programs.has(name);
  }
  lacksPackageLists(): boolean {
    return !this.hasLists;
  }
  async withoutServiceStarts<T>(work: () => Promise<T>): Promise<T> {
    this.areStartsDenied = true;
    try {
      return await work();
    } finally {
      this.areStartsDenied = false;
    }
  }
  async run(command: readonly string[], env: Readonly<Record<string, string>>): Promise<number> {
    const line = command.join(" ");
    this.commands.push(line);
    assert.equal(env["DEBIAN_FRONTEND"], "noninteractive");
    if (line.startsWith("apt-get install")) assert.equal(this.areStartsDenied, true, "daemons could start");
    return this.onRun(line);
  }
  print(line: string): void {
    this.printed.push(line);
  }
}

const without = (...names: string[]): string[] => ["apt-get", ...ALL.filter((each) => !names.includes(each))];

async function refusal(machine: Machine, purpose: keyof typeof NEEDS): Promise<UserError> {
  try {
    await ensureSystemPackages(purpose, machine);
  } catch (error) {
    assert.ok(error instanceof UserError, String(error));
    return error;
  }
  throw new assert.AssertionError({ message: "was not refused" });
}

describe("system packages", () => {
  test("nothing is run or printed when every program is there", async () => {
    const machine = new PaperMachine(without());
    for (const purpose of Object.keys(NEEDS)) await ensureSystemPackages(purpose as keyof typeof NEEDS, machine);
    assert.deepEqual(machine.commands, []);
    assert.deepEqual(machine.printed, []);
  });

  test("root on Debian sees the exact apt-get line before it runs, each package once", async () => {
    const machine = new PaperMachine(without("iptables", "ip6tables", "ip", "tcpdump"));
    await ensureSystemPackages("test", machine);
    const line = "apt-get install -y --no-install-recommends iproute2 iptables tcpdump";
    assert.deepEqual(machine.commands, [line]);
    assert.deepEqual(machine.printed, ["npm test needs iptables, ip6tables, ip, tcpdump", `+ ${line}`]);
  });

  test("a machine that has never fetched package lists fetches them first", async () => {
    const machine = new PaperMachine(without("curl"));
    machine.hasLists = false;
    machine.onRun = (line) => {
      if (line.startsWith("apt-get install")) machine.programs.add("curl");
      return 0;
    };
    await ensureSystemPackages("test:fast", machine);
    assert.deepEqual(machine.commands, ["apt-get update", "apt-get install -y --no-install-recommends curl"]);
  });

  test("old package lists are fetched anew once after a failed installation", async () => {
    const machine = new PaperMachine(without("wrk"));
    let isUpdated = false;
    machine.onRun = (line) => {
      if (line === "apt-get update") isUpdated = true;
      else if (isUpdated) machine.programs.add("wrk");
      return isUpdated ? 0 : 100;
    };
    await ensureSystemPackages("bench", machine);
    const install = "apt-get install -y --no-install-recommends wrk";
    assert.deepEqual(machine.commands, [install, "apt-get update", install]);
  });

  test("an installation that fails names its command", async () => {
    const machine = new PaperMachine(without("wrk"));
    machine.onRun = () => 100;
    const error = await refusal(machine, "bench");
    assert.match(error.message, /this command failed: apt-get install -y --no-install-recommends wrk/);
    assert.equal(machine.areStartsDenied, false);
  });

  test("a program that is still missing after the installation is named", async () => {
    const machine = new PaperMachine(without("wrk"));
    machine.onRun = () => 0;
    assert.match((await refusal(machine, "bench")).message, /^wrk still missing after: apt-get install/);
  });

  test("daemons that came along are not started by the next boot either", async () => {
    const machine = new PaperMachine([...without("haproxy", "nginx", "wrk"), "systemctl"]);
    await ensureSystemPackages("bench", machine);
    assert.equal(machine.commands.at(-1), "systemctl disable haproxy nginx");
  });

  test("MESHCTL_NO_INSTALL refuses with the command to run", async () => {
    const machine = new PaperMachine(without("nginx"));
    machine.env = { MESHCTL_NO_INSTALL: "1" };
    const error = await refusal(machine, "bench");
    assert.equal(error.message, "npm run bench needs nginx, and MESHCTL_NO_INSTALL is set");
    assert.equal(error.hint, "install them with: apt-get install -y --no-install-recommends nginx");
    assert.deepEqual(machine.commands, []);
  });

  test("a user who is not root is told the sudo line", async () => {
    const machine = new PaperMachine(without("unshare", "newuidmap"));
    machine.isRoot = false;
    assert.equal(
      (await refusal(machine, "test")).hint,
      "install them with: sudo apt-get install -y --no-install-recommends uidmap util-linux",
    );
    assert.deepEqual(machine.commands, []);
  });

  for (const [program, line] of [
    ["dnf", "dnf install -y iproute nghttp2"],
    ["apk", "apk add iproute2 nghttp2"],
    ["pacman", "pacman -S --needed iproute2 libnghttp2"],
    ["zypper", "zypper install iproute2 nghttp2"],
  ] as const) {
    test(`${program} is named with its own package names and not run`, async () => {
      const have = [program, ...ALL.filter((each) => each !== "ip" && each !== "h2load")];
      const machine = new PaperMachine(have);
      const [, ...words] = line.split(" ");
      const demo = (await refusal(machine, "demo")).hint ?? "";
      const bench = (await refusal(machine, "bench")).hint ?? "";
      assert.ok(demo.startsWith(`install them with: ${program} ${words.slice(0, -2).join(" ")}`), demo);
      assert.ok(demo.endsWith(words.at(-2)!), demo);
      assert.ok(bench.endsWith(words.at(-1)!), bench);
      assert.deepEqual(machine.commands, []);
    });
  }

  test("a machine without any known package manager hears what is missing", async () => {
    const machine = new PaperMachine(ALL.filter((each) => each !== "curl"));
    assert.match((await refusal(machine, "test:fast")).message, /^npm run test:fast needs curl, and no known package manager/);
  });

  test("another system than Linux is told so", async () => {
    const machine = new PaperMachine(["apt-get"]);
    machine.platform = "darwin";
    assert.match((await refusal(machine, "demo")).message, /only Linux has \(this is darwin\)/);
  });
});
