import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, test } from "node:test";
import { dumpYaml, parseYamlDocuments } from "../../../src/common/yaml.ts";
import { decideInjection } from "../../../src/manifests/injection-decision.ts";
import type { InjectionValues } from "../../../src/manifests/injected-containers.ts";
import { injectionPatch, planAdditions } from "../../../src/manifests/injector.ts";
import { applyJsonPatch } from "../../../src/manifests/json-patch.ts";
import type { ObjectMeta, PodSpec, PodTemplate } from "../../../src/manifests/kube-objects.ts";
import { VALUES } from "../../support/inject/injection-values.ts";

const GOLDEN = resolve(import.meta.dirname, "../../golden/inject");

const workload = { namespace: "shop", kind: "Deployment", name: "web" };

function inject(pod: PodTemplate, changes: Partial<InjectionValues> = {}): PodTemplate {
  const patch = injectionPatch(pod, workload, { ...VALUES, ...changes });
  assert.ok(patch.ok, JSON.stringify(patch));
  return applyJsonPatch(pod, patch.value);
}

function plainPod(metadata: ObjectMeta = {}, spec: Partial<PodSpec> = {}): PodTemplate {
  return { metadata, spec: { containers: [{ name: "web", command: ["web"] }], ...spec } };
}

function environmentOf({ initContainers = [] }: PodSpec): Readonly<Record<string, string | undefined>> {
  const sidecar = initContainers.find(({ name }) => name === "meshctl-proxy");
  return Object.fromEntries((sidecar?.env ?? []).map(({ name, value }) => [name, value]));
}

/** Compares with the file, or writes it when UPDATE_GOLDEN is set. */
function assertGolden(name: string, value: unknown): void {
  const path = join(GOLDEN, name);
  if (process.env["UPDATE_GOLDEN"] !== undefined) writeFileSync(path, dumpYaml(value));
  assert.deepEqual(JSON.parse(JSON.stringify(value)), parseYamlDocuments(readFileSync(path, "utf8"), name).documents[0]?.value);
}

describe("the injector", () => {
  const input = parseYamlDocuments(readFileSync(join(GOLDEN, "pod.yaml"), "utf8"), "pod.yaml").documents[0]?.value as PodTemplate;

  test("adds capture, a native sidecar in front of the app's init containers, and their volumes", () => {
    assertGolden("pod.native.yaml", inject(input));
  });

  test("adds a plain sidecar behind the app, and capture as the last init container", () => {
    assertGolden("pod.plain.yaml", inject(input, { nativeSidecar: false, dnsCapture: false, dnsUpstream: "none" }));
  });

  test("leaves an injected pod as it is", () => {
    const once = inject(input);
    assert.deepEqual(inject(once), once);
  });

  test("keeps the app's canonical name and revision, and cuts what no label can hold", () => {
    const labels = { "app.kubernetes.io/name": "shop-web", app: "other", version: "v".repeat(70) };
    const injected = inject(plainPod({ labels })).metadata?.labels;
    assert.equal(injected?.["service.istio.io/canonical-name"], "shop-web");
    assert.equal(injected?.["service.istio.io/canonical-revision"], "v".repeat(63));
    assert.equal(inject(plainPod()).metadata?.labels?.["service.istio.io/canonical-name"], "web");
  });

  test("cuts a label where it may end", () => {
    const labels = { app: `${"a".repeat(62)}-b`, version: `${"1".repeat(60)}._-2` };
    const injected = inject(plainPod({ labels })).metadata?.labels;
    assert.equal(injected?.["service.istio.io/canonical-name"], "a".repeat(62));
    assert.equal(injected?.["service.istio.io/canonical-revision"], "1".repeat(60));
  });

  test("writes nothing into the environment that kubelet would expand", () => {
    const httpGet = { path: "/a$$b/$(POD_NAME)", port: 80 };
    const annotations = { "prometheus.io/path": "/$(POD_NAME)" };
    const written = environmentOf(inject(plainPod({ annotations }, { containers: [{ name: "web", readinessProbe: { httpGet } }] })).spec);
    for (const name of ["MESHCTL_KUBE_APP_PROBERS", "MESHCTL_SCRAPE_TARGETS"]) assert.doesNotMatch(written[name]!, /\$/);
    const probers = JSON.parse(written["MESHCTL_KUBE_APP_PROBERS"]!) as Record<string, object>;
    assert.deepEqual(probers["/app-health/web/readyz"], { httpGet, timeoutSeconds: 1 });
  });

  for (const [what, handler, warning] of [
    ["a field that isn't one", { httpGet: { port: 80, pth: "/x" } }, /httpGet: there is no field pth; it is left as it is/],
    ["a path that is no text", { httpGet: { port: 80, path: 5 } }, /httpGet: its path 5 is no text; it is left as it is/],
    ["a service that is no text", { grpc: { port: 80, service: 1 } }, /grpc: its service 1 is no text/],
  ] as const) {
    test(`leaves a probe with ${what} to the API server, and says so`, () => {
      const container = { name: "web", readinessProbe: handler } as unknown as PodSpec["containers"][number];
      const additions = planAdditions(plainPod({}, { containers: [container] }), workload, VALUES);
      assert.ok(additions.ok);
      assert.deepEqual(additions.value.handlers, []);
      assert.match(additions.value.warnings[0]!, warning);
    });
  }

  test("turns traffic annotations into capture flags", () => {
    const prefix = "traffic.sidecar.istio.io/";
    const annotations = {
      [`${prefix}excludeOutboundPorts`]: "3306,6379",
      [`${prefix}excludeInboundPorts`]: "9000",
      [`${prefix}includeOutboundIPRanges`]: "10.0.0.0/8",
    };
    const args = inject(plainPod({ annotations })).spec.initContainers?.[0]?.args ?? [];
    const valueOf = (flag: string): string | undefined => args[args.indexOf(flag) + 1];
    assert.equal(valueOf("-o"), "3306,6379");
    assert.equal(valueOf("-d"), "15090,15021,15020,9000");
    assert.equal(valueOf("-i"), "10.0.0.0/8");
  });

  for (const [annotation, value, message] of [
    ["includeOutboundIPRanges", "10.0.0.0/33", /"10.0.0.0\/33" is not a CIDR/],
    ["excludeOutboundIPRanges", "*", /"\*" is not a CIDR/],
    ["includeInboundPorts", "http", /"http" is not a port/],
    ["excludeOutboundPorts", "80,70000", /"70000" is not a port/],
  ] as const) {
    test(`refuses ${annotation}: ${value}`, () => {
      const result = injectionPatch(plainPod({ annotations: { [`traffic.sidecar.istio.io/${annotation}`]: value } }), workload, VALUES);
      assert.ok(!result.ok);
      assert.match(result.problems[0]!.message, message);
      assert.match(result.problems[0]!.path, new RegExp(annotation));
    });
  }

  for (const [config, flags] of [
    ["concurrency: 2\nholdApplicationUntilProxyStarts: true\n", ["--concurrency", "2"]],
    ["terminationDrainDuration: 1m30s\n", ["--drain-time", "90s"]],
    ['{"concurrency": 0}', ["--concurrency", "0"]],
    ["tracing: {}\n", []],
    ["", []],
  ] as const) {
    test(`turns proxy.istio.io/config ${JSON.stringify(config)} into flags of the sidecar`, () => {
      const plain = inject(plainPod()).spec.initContainers?.[1]?.args ?? [];
      const args = inject(plainPod({ annotations: { "proxy.istio.io/config": config } })).spec.initContainers?.[1]?.args;
      assert.deepEqual(args, [...plain, ...flags]);
    });
  }

  for (const [config, message] of [
    ["concurrency: many", /concurrency: "many" is not a number from 0 to 128/],
    ["concurrency: 1.5", /concurrency: 1.5 is not a number/],
    ["concurrency: -1", /concurrency: -1 is not a number/],
    ["terminationDrainDuration: soon", /terminationDrainDuration: "soon" is not a duration/],
    ["holdApplicationUntilProxyStarts: 1", /holdApplicationUntilProxyStarts: 1 is neither true nor false/],
    ["proxyMetadata: {ISTIO_META_DNS_CAPTURE: maybe}", /ISTIO_META_DNS_CAPTURE: "maybe" is neither/],
    ["- concurrency: 2", /is no mapping/],
    ["a: [", /line 1: not YAML/],
  ] as const) {
    test(`refuses proxy.istio.io/config ${config}, beside what else is wrong`, () => {
      const annotations = { "proxy.istio.io/config": config, "traffic.sidecar.istio.io/includeInboundPorts": "http" };
      const result = injectionPatch(plainPod({ annotations }), workload, VALUES);
      assert.ok(!result.ok);
      assert.equal(result.problems.length, 2);
      assert.match(result.problems[1]!.message, message);
      assert.match(result.problems[1]!.path, /proxy\.istio\.io/);
    });
  }

  test("takes image, resources and the kind of sidecar from annotations, by Istio's names and our own", () => {
    const annotations = {
      "sidecar.istio.io/proxyImage": "registry/meshctl:2",
      "meshctl.io/proxyCPU": "50m",
      "sidecar.istio.io/proxyCPU": "70m",
      "sidecar.istio.io/proxyMemoryLimit": "256Mi",
      "sidecar.istio.io/nativeSidecar": "false",
      "meshctl.io/excludeOutboundPorts": "3306",
    };
    const { spec } = inject(plainPod({ annotations }));
    const sidecar = spec.containers[1]!;
    assert.equal(sidecar.name, "meshctl-proxy");
    assert.equal(sidecar.image, "registry/meshctl:2");
    assert.deepEqual(sidecar.resources, { requests: { cpu: "50m" }, limits: { memory: "256Mi" } });
    assert.match(spec.initContainers![0]!.args!.join(" "), / -o 3306/);
  });

  test("sends no probes to the sidecar where the annotation says so, and merges no metrics", () => {
    const probe = { readinessProbe: { httpGet: { port: 80 } } };
    const annotations = {
      "meshctl.io/rewriteAppHTTPProbers": "false",
      "prometheus.istio.io/merge-metrics": "false",
      "prometheus.io/port": "80",
    };
    const { metadata, spec } = inject(plainPod({ annotations }, { containers: [{ name: "web", ...probe }] }));
    assert.deepEqual(spec.containers[0]?.readinessProbe, probe.readinessProbe);
    assert.equal(metadata?.annotations?.["prometheus.io/port"], "80");
    assert.equal(environmentOf(spec)["MESHCTL_SCRAPE_TARGETS"], undefined);
  });

  test("scrapes an application that wants it, and leaves one alone that doesn't", () => {
    const targets = (annotations: Record<string, string>): unknown =>
      JSON.parse(environmentOf(inject(plainPod({ annotations })).spec)["MESHCTL_SCRAPE_TARGETS"] ?? "null");
    assert.deepEqual(targets({ "prometheus.io/scrape": "true" }), [{ port: 80, path: "/metrics" }]);
    assert.deepEqual(targets({ "prometheus.io/path": "m", "prometheus.io/scheme": "https" }), [{ port: 80, path: "/m", scheme: "https" }]);
    assert.deepEqual(targets({ "prometheus.istio.io/scrape-targets": "81:/a, 82" }), [
      { port: 81, path: "/a" },
      { port: 82, path: "/metrics" },
    ]);
    assert.equal(targets({ "prometheus.io/port": "15020" }), null);
    assert.equal(targets({}), null);
    const off = inject(plainPod({ annotations: { "prometheus.io/scrape": "false" } })).metadata?.annotations;
    assert.deepEqual([off?.["prometheus.io/scrape"], off?.["prometheus.io/port"]], ["false", undefined]);
  });

  test("sends probes of other native sidecars to ours, and none of init containers that end", () => {
    const probe = { startupProbe: { tcpSocket: { port: "81" } } };
    const initContainers = [
      { name: "log", restartPolicy: "Always", ...probe },
      { name: "once", ...probe },
    ];
    const { spec } = inject(plainPod({}, { initContainers }));
    const startup = (name: string): unknown => spec.initContainers?.find((each) => each.name === name)?.startupProbe;
    assert.deepEqual(startup("log"), { httpGet: { path: "/app-health/log/startupz", port: 15020 } });
    assert.deepEqual(startup("once"), probe.startupProbe);
    assert.deepEqual(JSON.parse(environmentOf(spec)["MESHCTL_KUBE_APP_PROBERS"] ?? ""), {
      "/app-health/log/startupz": { tcpSocket: { port: 81 }, timeoutSeconds: 1 },
    });
  });

  test("rewrites each of several probes that are one object, as aliases in YAML make them", () => {
    const probe = { tcpSocket: { port: 1 } };
    const { containers } = inject(plainPod({}, { containers: [{ name: "web", readinessProbe: probe, livenessProbe: probe }] })).spec;
    assert.deepEqual(containers[0]?.livenessProbe, { httpGet: { path: "/app-health/web/livez", port: 15020 } });
    assert.deepEqual(containers[0]?.readinessProbe, { httpGet: { path: "/app-health/web/readyz", port: 15020 } });
  });

  test("leaves probes alone that ask a sidecar already", () => {
    const probes = { readinessProbe: { httpGet: { path: "/healthz/ready", port: 15021 } }, livenessProbe: { tcpSocket: { port: 15020 } } };
    const [web] = inject(plainPod({}, { containers: [{ name: "web", ...probes }] })).spec.containers;
    assert.deepEqual([web?.readinessProbe, web?.livenessProbe], [probes.readinessProbe, probes.livenessProbe]);
  });

  test("puts a plain sidecar that the application waits for in front, and has it waited for", () => {
    const annotations = { "proxy.istio.io/config": "holdApplicationUntilProxyStarts: true" };
    const { containers } = inject(plainPod({ annotations }), { nativeSidecar: false }).spec;
    assert.deepEqual(
      containers.map(({ name }) => name),
      ["meshctl-proxy", "web"],
    );
    assert.deepEqual(containers[0]?.lifecycle, { postStart: { exec: { command: ["meshctl", "proxy", "wait"] } } });
    assert.ok(containers[0]?.args?.includes("--outlive-app"));
  });

  test("gives the sidecar volumes of the pod's own, and leaves DNS alone, where annotations ask for it", () => {
    const annotations = {
      "sidecar.istio.io/userVolume": '{"certs":{"secret":{"secretName":"certs"}}}',
      "sidecar.istio.io/userVolumeMount": '{"certs":{"mountPath":"/etc/certs","readOnly":true}}',
      "proxy.istio.io/config": 'proxyMetadata: {ISTIO_META_DNS_CAPTURE: "false"}',
    };
    const { spec } = inject(plainPod({ annotations }));
    assert.deepEqual(spec.volumes?.at(-1), { name: "certs", secret: { secretName: "certs" } });
    assert.deepEqual(spec.initContainers?.[1]?.volumeMounts?.at(-1), { name: "certs", mountPath: "/etc/certs", readOnly: true });
    assert.ok(!spec.initContainers?.[0]?.args?.includes("--redirect-dns"));
    const clash = injectionPatch(plainPod({ annotations }, { volumes: [{ name: "certs" }] }), workload, VALUES);
    assert.match(clash.ok ? "" : clash.problems[0]!.message, /certs is reserved for the mesh, or given twice/);
  });

  test("asks for nothing that Pod Security refuses in restricted namespaces but the init container's rights", () => {
    const { initContainers = [] } = inject(plainPod()).spec;
    for (const { securityContext } of initContainers) {
      assert.deepEqual(securityContext?.seccompProfile, { type: "RuntimeDefault" });
      assert.equal(securityContext?.allowPrivilegeEscalation, false);
      assert.deepEqual(securityContext?.capabilities?.drop, ["ALL"]);
    }
    assert.equal(initContainers[1]?.securityContext?.runAsNonRoot, true);
    assert.equal(initContainers[1]?.securityContext?.capabilities?.add, undefined);
  });

  test("gives a Job the native sidecar whatever is asked for", () => {
    const pod = plainPod({ annotations: { "sidecar.istio.io/nativeSidecar": "false" } });
    const patch = injectionPatch(pod, { ...workload, kind: "Job" }, { ...VALUES, nativeSidecar: false });
    assert.ok(patch.ok);
    assert.equal(applyJsonPatch(pod, patch.value).spec.initContainers?.[1]?.restartPolicy, "Always");
  });

  for (const [annotation, value, message] of [
    ["sidecar.istio.io/proxyCPU", "many", /"many" is not a quantity/],
    ["meshctl.io/proxyMemory", "-1Gi", /"-1Gi" is not a quantity/],
    ["sidecar.istio.io/nativeSidecar", "yes", /"yes" is neither "true" nor "false"/],
    ["sidecar.istio.io/proxyImage", "a b", /"a b" is not the name of an image/],
    ["meshctl.io/excludeInterfaces", "a/b", /"a\/b" is not an interface name/],
    ["istio.io/reroute-virtual-interfaces", "a/b", /"a\/b" is not an interface name/],
    ["sidecar.istio.io/rewriteAppHTTPProbers", "yes", /"yes" is neither "true" nor "false"/],
    ["sidecar.istio.io/interceptionMode", "TPROXY", /"TPROXY" is no interception mode that there is/],
    ["sidecar.istio.io/logLevel", "loud", /"loud" is none of trace, debug/],
    ["readiness.status.sidecar.istio.io/periodSeconds", "0", /"0" is not a number from 1/],
    ["inject.istio.io/templates", "gateway", /there is only "sidecar"/],
    ["sidecar.istio.io/userVolume", "[]", /is no JSON object of objects by name/],
    ["sidecar.istio.io/userVolume", '{"V V":{"emptyDir":{}}}', /"V V" is not the name of a volume/],
    ["sidecar.istio.io/userVolumeMount", '{"a":{"readOnly":true}}', /a has no mountPath/],
    ["prometheus.istio.io/merge-metrics", "1", /"1" is neither "true" nor "false"/],
    ["prometheus.istio.io/scrape-targets", "80:/a,http:/b", /"http:\/b" is not a port/],
    ["prometheus.io/port", "15090", /port 15090 is the sidecar's own/],
  ] as const) {
    test(`refuses ${annotation}: ${value}`, () => {
      const result = injectionPatch(plainPod({ annotations: { [annotation]: value } }), workload, VALUES);
      assert.ok(!result.ok);
      assert.equal(result.problems[0]!.path, `metadata.annotations["${annotation}"]`);
      assert.match(result.problems[0]!.message, message);
    });
  }

  const refusal = (annotations: Record<string, string>, spec: Partial<PodSpec> = {}): string => {
    const result = injectionPatch(plainPod({ annotations }, spec), workload, VALUES);
    return result.ok ? "" : result.problems[0]!.message;
  };

  test("refuses a limit below what is asked for", () => {
    assert.match(refusal({ "sidecar.istio.io/proxyCPU": "2", "meshctl.io/proxyCPULimit": "100m" }), /"100m" is a limit below the 2 that/);
    assert.equal(refusal({ "sidecar.istio.io/proxyCPU": "0.1", "meshctl.io/proxyCPULimit": "100m" }), "");
  });

  test("refuses a mount of a volume that is nowhere, and a volume of the sidecar's own name", () => {
    const mount = { "sidecar.istio.io/userVolumeMount": '{"certs":{"mountPath":"/certs"}}' };
    assert.match(refusal(mount), /has no certs, which the sidecar shall mount/);
    assert.equal(refusal(mount, { volumes: [{ name: "certs" }] }), "");
    assert.match(refusal({ "sidecar.istio.io/userVolume": '{"meshctl-token":{"emptyDir":{}}}' }), /meshctl-token is reserved/);
  });

  test("refuses a pod that uses the sidecar's name for something else", () => {
    const result = injectionPatch(plainPod({}, { containers: [{ name: "meshctl-proxy" }] }), workload, VALUES);
    assert.ok(!result.ok);
    assert.match(result.problems[0]!.message, /meshctl-proxy is reserved/);
  });
});

describe("the decision to inject", () => {
  const decide = (
    pod: ObjectMeta,
    namespace: ObjectMeta = {},
    policy: "enabled" | "disabled" = "disabled",
    spec: Partial<PodSpec> = {},
  ): boolean => decideInjection(plainPod(pod, spec), "shop", namespace, policy).inject;

  for (const [what, expected, pod, namespace] of [
    ["nothing said", false, {}, {}],
    ["our label on the namespace", true, {}, { labels: { "meshctl.io/inject": "enabled" } }],
    ["Istio's label on the namespace", true, {}, { labels: { "istio-injection": "enabled" } }],
    ["Linkerd's annotation on the namespace", true, {}, { annotations: { "linkerd.io/inject": "enabled" } }],
    ["our label on the pod", true, { labels: { "meshctl.io/inject": "enabled" } }, {}],
    ["Istio's label on the pod", true, { labels: { "sidecar.istio.io/inject": "true" } }, {}],
    [
      "the pod's no against the namespace's yes",
      false,
      { annotations: { "linkerd.io/inject": "disabled" } },
      { labels: { "meshctl.io/inject": "enabled" } },
    ],
    [
      "the namespace's no against the pod's yes",
      false,
      { labels: { "sidecar.istio.io/inject": "true" } },
      { labels: { "istio-injection": "disabled" } },
    ],
    [
      "a label against the annotation of the same name",
      false,
      { labels: { "sidecar.istio.io/inject": "false" }, annotations: { "sidecar.istio.io/inject": "true" } },
      {},
    ],
    ["a word that is neither yes nor no", false, { labels: { "sidecar.istio.io/inject": "True" } }, {}],
  ] as const) {
    test(`with ${what} it is ${expected ? "yes" : "no"}`, () => assert.equal(decide(pod, namespace), expected));
  }

  test("is never yes for a pod on the host's network or in a system namespace", () => {
    assert.equal(decide({ labels: { "meshctl.io/inject": "enabled" } }, {}, "enabled", { hostNetwork: true }), false);
    assert.equal(decideInjection(plainPod(), "kube-system", undefined, "enabled").inject, false);
  });

  test("follows the policy when nobody says anything", () => assert.equal(decide({}, {}, "enabled"), true));
});
