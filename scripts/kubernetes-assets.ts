// Builds kube-apiserver, kubectl and etcd into a folder from the sources that the Go module proxy serves, for the tests of
// test/kubernetes: `node scripts/kubernetes-assets.ts FOLDER`, then `KUBEBUILDER_ASSETS=FOLDER npm test`. Needs Go alone.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { UserError } from "../src/common/user-error.ts";
import { runScript } from "./run-script.ts";

const KUBERNETES_VERSION = "v1.35.4";
/** etcd 3.5 keeps to older gRPC and protobuf modules than Kubernetes asks for, so it is built in a module of its own. */
const ETCD_VERSION = "v3.5.35";
const GO_VERSION = "1.25";

const USAGE = `Usage: node scripts/kubernetes-assets.ts FOLDER
Builds kube-apiserver and kubectl ${KUBERNETES_VERSION} and etcd ${ETCD_VERSION} into FOLDER. Needs Go ${GO_VERSION} or newer, some minutes
and about 5 GB for Go's caches. The tests use them when KUBEBUILDER_ASSETS names FOLDER.`;

function go(cwd: string, ...args: readonly string[]): string {
  const env = { ...process.env, GOWORK: "off", CGO_ENABLED: "0", GOTOOLCHAIN: "local" };
  const { error, status, stdout } = spawnSync("go", args, { cwd, env, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });
  if (error !== undefined) throw new UserError(`can't run go: ${error.message}`, "install Go from https://go.dev/dl and put it into PATH");
  if (status !== 0)
    throw new UserError(`go ${args[0] ?? ""} failed`, "mend what it printed above and run this again: it goes on from Go's caches");
  return stdout;
}

function makeModule(work: string, name: string, lines: readonly string[]): string {
  const folder = join(work, name);
  mkdirSync(folder);
  writeFileSync(join(folder, "go.mod"), [`module meshctl.io/${name}`, `go ${GO_VERSION}`, ...lines, ""].join("\n"));
  return folder;
}

/** Kubernetes replaces its staging modules by folders of its own repository; as a dependency, by what is published of them. */
function replacements(work: string): string[] {
  const found = go(work, "mod", "download", "-json", `k8s.io/kubernetes@${KUBERNETES_VERSION}`);
  const { GoMod } = JSON.parse(found) as { readonly GoMod: string };
  const staged = readFileSync(GoMod, "utf8").matchAll(/^\s*(k8s\.io\/\S+) => \.\/staging\//gm);
  const published = KUBERNETES_VERSION.replace(/^v1\./, "v0.");
  return Array.from(staged, ([, name = ""]) => `replace ${name} => ${name} ${published}`);
}

function buildKubernetes(work: string, target: string): void {
  const require = `require k8s.io/kubernetes ${KUBERNETES_VERSION}`;
  const folder = makeModule(work, "kubernetes", [require, ...replacements(work)]);
  const [major = "", minor = ""] = KUBERNETES_VERSION.slice(1).split(".");
  // Without these, each of the programs calls itself v0.0.0-master and kubectl warns about the server's version.
  const values = { gitVersion: KUBERNETES_VERSION, gitMajor: major, gitMinor: minor };
  const flags = ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"].flatMap((name) =>
    Object.entries(values).map(([key, value]) => `-X ${name}.${key}=${value}`),
  );
  for (const program of ["kube-apiserver", "kubectl"]) {
    const output = join(target, program);
    go(folder, "build", "-mod=mod", "-trimpath", "-ldflags", `-s -w ${flags.join(" ")}`, "-o", output, `k8s.io/kubernetes/cmd/${program}`);
  }
}

function buildEtcd(work: string, target: string): void {
  const folder = makeModule(work, "etcd", [`require go.etcd.io/etcd/server/v3 ${ETCD_VERSION}`]);
  go(folder, "build", "-mod=mod", "-trimpath", "-ldflags", "-s -w", "-o", join(target, "etcd"), "go.etcd.io/etcd/server/v3");
}

await runScript("kubernetes-assets", USAGE, async () => {
  const { values, positionals } = parseArgs({ options: { help: { type: "boolean" } }, allowPositionals: true });
  const [folder] = positionals;
  if (values.help === true || folder === undefined || positionals.length > 1) {
    console.log(USAGE);
    return values.help === true ? 0 : 1;
  }
  const target = resolve(folder);
  mkdirSync(target, { recursive: true });
  const work = mkdtempSync(join(tmpdir(), "meshctl-kubernetes-assets-"));
  try {
    buildEtcd(work, target);
    buildKubernetes(work, target);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  console.log(`KUBEBUILDER_ASSETS=${target}`);
  return 0;
});
