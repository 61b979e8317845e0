// The image, made by the Dockerfile's own steps, does what pods start it for: with a read-only root, and with the uids
// and capabilities that the installation and the injector ask for.
import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { parseYamlDocuments } from "../../src/common/yaml.ts";
import type { Container, Deployment, PodTemplate } from "../../src/manifests/kube-objects.ts";
import { eventually } from "../support/eventually.ts";
import { ImageRoot, whyNoImage } from "../support/image/image-root.ts";
import type { Rights } from "../support/image/image-root.ts";
import { NetworkNamespace } from "../support/network-namespace.ts";
import { httpFilter, listener, staticResources } from "../support/proxy-plane.ts";
import { runMeshctl } from "../support/run-meshctl.ts";

const { version } = JSON.parse(readFileSync(resolve(import.meta.dirname, "../../package.json"), "utf8")) as { version: string };
const STARTS_WITHIN_MS = 20_000;
const POD = "apiVersion: v1\nkind: Pod\nmetadata: { name: a }\nspec: { containers: [{ name: a, image: b }] }\n";

type Security = Readonly<Record<string, unknown>> & { readonly capabilities?: { readonly add?: readonly string[] } };

/** What a container runtime would make of a container's and its pod's security context. */
function rightsOf(container: Container, pod: PodTemplate): Rights {
  const both = { ...(pod.spec["securityContext"] as Security | undefined), ...(container.securityContext as Security) };
  const capabilities = (both.capabilities?.add ?? []).map((each) => each.toLowerCase());
  return { user: `${String(both["runAsUser"])}:${String(both["runAsGroup"])}`, capabilities };
}

describe("the image", { skip: whyNoImage() ?? false }, () => {
  let image: ImageRoot;
  let network: NetworkNamespace;
  let shown: string;
  let controller: { container: Container; rights: Rights };
  let init: { container: Container; rights: Rights };
  let sidecar: { container: Container; rights: Rights };

  before(async () => {
    image = new ImageRoot();
    network = new NetworkNamespace();
    network.sh("ip link set lo up");
    shown = mkdtempSync(join(tmpdir(), "meshctl-image-files-"));
    chmodSync(shown, 0o755);
    const installed = parseYamlDocuments((await runMeshctl(["install", "--offline"])).stdout, "install").documents;
    const deployment = installed.map((each) => each.value as Deployment).find((each) => each.kind === "Deployment")!;
    const template = deployment.spec.template;
    const main = template.spec.containers[0]!;
    controller = { container: main, rights: rightsOf(main, template) };
    const pod = parseYamlDocuments((await runMeshctl(["inject", "-"], { input: POD })).stdout, "pod").documents[0]!.value as PodTemplate;
    const [first, second] = pod.spec.initContainers!.map((container) => ({ container, rights: rightsOf(container, pod) }));
    [init, sidecar] = [first!, second!];
  });
  after(async () => {
    await network?.remove();
    await image?.[Symbol.asyncDispose]();
    if (shown !== undefined) rmSync(shown, { recursive: true, force: true });
  });

  const start = (args: readonly string[], rights: Rights): ChildProcess =>
    image.start([...image.entrypoint, ...args], { ...rights, netns: network.name, shown });

  async function run(args: readonly string[], rights: Rights, command = image.entrypoint): Promise<{ code: number; output: string }> {
    const child = image.start([...command, ...args], { ...rights, netns: network.name, shown });
    const output = collect(child);
    const [code] = (await once(child, "close")) as [number];
    return { code, output: output() };
  }

  async function runsUntilStopped(args: readonly string[], rights: Rights, sign: RegExp): Promise<void> {
    const child = start(args, rights);
    const output = collect(child);
    await eventually(() => assert.match(output(), sign), { withinMs: STARTS_WITHIN_MS });
    const exit = once(child, "exit");
    child.kill("SIGTERM");
    assert.deepEqual(await exit, [0, null], output());
  }

  test("is labelled with its version and runs as the proxy's user unless told otherwise", async () => {
    assert.equal(image.labels.get("org.opencontainers.image.version"), version);
    assert.equal(image.user, sidecar.rights.user);
    const { code, output } = await run(["version", "--client", "--short"], { user: image.user });
    assert.deepEqual([code, output], [0, `${version}\n`]);
  });

  test("is started by the installation and the injector through its entry point, with arguments that it understands", async () => {
    for (const { container } of [controller, init, sidecar]) assert.equal(container["command"], undefined);
    // There is no cluster here, which it says; not that it doesn't know a flag (64).
    const { code, output } = await run(controller.container.args!, controller.rights);
    assert.equal(code, 1, output);
    assert.match(output, /cluster/);
  });

  test("finds meshctl by its name, as kubelet calls it when a pod ends", async () => {
    const { preStop } = sidecar.container["lifecycle"] as { preStop: { exec: { command: readonly string[] } } };
    const { code, output } = await run(["--help"], sidecar.rights, preStop.exec.command);
    assert.equal(code, 0, output);
    assert.match(output, /^Usage: meshctl proxy .*\[role\]/);
  });

  test("captures a pod's traffic as root with two capabilities and nothing else", async () => {
    const { code, output } = await run(init.container.args!, init.rights);
    assert.equal(code, 0, output);
    assert.match(network.rules(), /-A MESHCTL_IN_REDIRECT .*--to-ports 15006/);
  });

  test("runs a sidecar on a read-only root, with the native code that capture needs", async () => {
    const originalDst = {
      name: "original_dst",
      typed_config: { "@type": "type.googleapis.com/envoy.extensions.filters.listener.original_dst.v3.OriginalDst" },
    };
    const resources = staticResources([listener([{ filters: [httpFilter([])] }], { listener_filters: [originalDst] })], []);
    writeFileSync(join(shown, "bootstrap.json"), JSON.stringify(resources));
    await runsUntilStopped(["proxy", "--bootstrap", "/mnt/bootstrap.json"], sidecar.rights, /"proxy is live"/);
    await runsUntilStopped(["proxy", "--bootstrap", "/mnt/bootstrap.json", "--concurrency", "2"], sidecar.rights, /"proxy is live"/);
  });

  test("runs the controller on a read-only root", async () => {
    const service = "apiVersion: v1\nkind: Service\nmetadata: { name: a, namespace: b }\nspec: { ports: [{ port: 80 }] }\n";
    writeFileSync(join(shown, "service.yaml"), service);
    const ports = ["--xds-address", "127.0.0.1:0", "--monitoring-address", "127.0.0.1:0"];
    await runsUntilStopped(["controller", "--source", "/mnt/service.yaml", ...ports], controller.rights, /serving 1 service/);
  });
});

function collect(child: ChildProcess): () => string {
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream?.setEncoding("utf8").on("data", (part: string) => (text += part));
  return () => text;
}
