// The completion scripts in real shells, asking the real bin/meshctl, which asks the API server double for names.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { delimiter, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { ClusterDouble } from "../../support/api-server/cluster-double.ts";
import { runProgram } from "../../support/run-program.ts";

const BIN = resolve(import.meta.dirname, "../../../bin");
const hash = { "pod-template-hash": "7d9c" };

/** Each prints what the shell would offer for the line in $1, one to a line. */
const SHELLS = {
  bash: [
    "bash",
    "--norc",
    "--noprofile",
    "-c",
    'source <(meshctl completion bash); COMP_LINE=$1; COMP_POINT=${#1}; _meshctl; printf "%s\\n" "${COMPREPLY[@]}"',
    "bash",
  ],
  zsh: [
    "zsh",
    "--no-rcs",
    "-c",
    // The parts of zsh's completion that only an interactive shell has.
    'compdef() { : }; _describe() { print -rl -- "${(@P)2}" }; _files() { : }; source <(meshctl completion zsh); ' +
      'words=("${(@s: :)1}"); CURRENT=$#words; _meshctl',
    "zsh",
  ],
  fish: ["fish", "--no-config", "-c", 'meshctl completion fish | source; complete -C "$argv[1]"'],
} as const;

for (const shell of ["bash", "zsh", "fish"] as const) {
  const skip = spawnSync(shell, ["--version"]).status === 0 ? false : `${shell} is not installed`;
  describe(`completion in ${shell}`, { skip }, () => {
    const cluster = new ClusterDouble();
    before(async () => {
      await cluster.start();
      for (const name of ["web-7d9c-a", "web-7d9c-b"]) {
        await cluster.addPod({ name, labels: hash, owner: { kind: "ReplicaSet", name: "web-7d9c" } });
      }
      await cluster.addPod({ name: "other", namespace: "mesh-system" });
    });
    after(() => cluster.stop());

    /** Without descriptions, which each shell shows in its own way. */
    async function offers(line: string): Promise<string[]> {
      const env = { PATH: `${BIN}${delimiter}${process.env["PATH"]}`, KUBECONFIG: cluster.kubeconfig, HOME: cluster.folder };
      const [program, ...args] = SHELLS[shell];
      const { stdout, stderr } = await runProgram(program, [...args, line], { env, timeoutMs: 20_000 });
      assert.equal(stderr, "");
      const words = stdout.split("\n").filter((each) => each !== "");
      return words.map((each) => (shell === "fish" ? each.split("\t", 1)[0]! : shell === "zsh" ? each.split(":", 1)[0]! : each)).sort();
    }

    test("offers commands, subcommands and flags", async () => {
      assert.deepEqual(await offers("meshctl proxy-"), ["proxy-config", "proxy-status"]);
      assert.deepEqual(await offers("meshctl pc c"), ["cluster"]);
      assert.deepEqual(await offers("meshctl stats --ra"), ["--raw"]);
    });

    test("offers the values of flags", async () => {
      assert.deepEqual(await offers("meshctl stats -o "), ["json", "table", "yaml"]);
      // Bash replaces only what follows the =.
      assert.deepEqual(await offers("meshctl stats --output=j"), [shell === "bash" ? "json" : "--output=json"]);
      assert.deepEqual(await offers("meshctl pc cluster web --direction i"), ["inbound"]);
    });

    test("offers workloads, namespaces and contexts of the cluster", async () => {
      assert.deepEqual(await offers("meshctl stats w"), ["web", "web-7d9c-a", "web-7d9c-b"]);
      assert.deepEqual(await offers("meshctl tls-check deploy/"), ["deploy/web"]);
      assert.deepEqual(await offers("meshctl stats -n mesh-system "), ["other"]);
      assert.deepEqual(await offers("meshctl stats -n m"), ["mesh-system"]);
      assert.deepEqual(await offers("meshctl ps --context "), ["double"]);
    });

    test("offers nothing, and says nothing, when the cluster can't be asked", async () => {
      cluster.api.hold();
      try {
        assert.deepEqual(await offers("meshctl stats w"), []);
      } finally {
        cluster.api.release();
      }
    });
  });
}
