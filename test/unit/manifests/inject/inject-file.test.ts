// What inject and uninject make of files: golden cases, decisions, and manifests that were edited in between.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, test } from "node:test";
import { dumpYaml } from "../../../../src/common/yaml.ts";
import { INJECTED_ANNOTATION } from "../../../../src/manifests/injection-record.ts";
import { reportUnreadKinds } from "../../../../src/manifests/inject/unread-kinds.ts";
import { injectText, parse, uninjectText } from "../../../support/inject/inject-text.ts";

const GOLDEN = resolve(import.meta.dirname, "../../../golden/inject/text");

const pod = (spec: string, metadata = "name: a"): string => `apiVersion: v1\nkind: Pod\nmetadata: {${metadata}}\nspec: {${spec}}\n`;
const CONTAINERS = "containers: [{name: web}]";

function report(text: string): { outcome: string; reason: string; warnings: readonly string[]; isProblem: boolean } {
  const [{ outcome, reason = "", warnings, isProblem }] = injectText(text).reports as [ReturnType<typeof injectText>["reports"][number]];
  return { outcome, reason, warnings, isProblem };
}

describe("injecting a file", () => {
  for (const [name, plain] of [
    ["shop.yaml", false],
    ["shop.yaml", true],
    ["list.json", false],
  ] as const) {
    test(`makes of ${name} what it should, ${plain ? "with plain sidecars" : "with native sidecars"}, and takes it back`, () => {
      const input = readFileSync(join(GOLDEN, name), "utf8");
      const path = join(GOLDEN, name.replace(".", plain ? ".plain." : ".native."));
      const { text } = injectText(input, { nativeSidecar: !plain });
      if (process.env["UPDATE_GOLDEN"] !== undefined) writeFileSync(path, text);
      assert.equal(text, readFileSync(path, "utf8"));
      assert.equal(uninjectText(text).text, input);
    });
  }

  test("reports each object that has a pod, with its line, and counts the others", () => {
    const { reports, others } = injectText(readFileSync(join(GOLDEN, "shop.yaml"), "utf8"));
    assert.deepEqual(
      reports.map(({ place, label, outcome, reason }) => [place, label, outcome, reason]),
      [
        ["app.yaml:8", "Deployment shop/web", "injected", undefined],
        ["app.yaml:40", "CronJob report", "injected", undefined],
        ["app.yaml:58", "DaemonSet logs", "skipped", "annotation linkerd.io/inject=disabled on the pod"],
      ],
    );
    assert.equal(others, 1);
  });

  test("gives a CronJob the native sidecar also where plain ones are asked for", () => {
    const text = readFileSync(join(GOLDEN, "shop.plain.yaml"), "utf8");
    const [deployment, job] = [text.indexOf("kind: Deployment"), text.indexOf("kind: CronJob")];
    assert.equal(text.slice(deployment, job).includes("restartPolicy: Always"), false);
    assert.equal(text.slice(job).includes("restartPolicy: Always"), true);
  });

  for (const [what, text, outcome, reason, isProblem] of [
    ["a pod on the host's network", pod(`hostNetwork: true, ${CONTAINERS}`), "skipped", /^hostNetwork: true/, true],
    ["a pod of Istio's", pod("containers: [{name: web}, {name: istio-proxy}]"), "skipped", /Istio's sidecar.*kube-inject/, true],
    [
      "a pod of Linkerd's, by its image",
      pod('initContainers: [{name: p, image: "cr.l5d.io/linkerd/proxy:edge-25"}], containers: [{name: web}]'),
      "skipped",
      /Linkerd's sidecar.*linkerd uninject/,
      true,
    ],
    ["a label that says no", pod(CONTAINERS, 'name: a, labels: {meshctl.io/inject: "disabled"}'), "skipped", /label meshctl.io/, false],
    ["a system namespace", pod(CONTAINERS, "name: a, namespace: kube-system"), "skipped", /system namespace kube-system/, false],
    ["no containers", pod("containers: []"), "refused", /^spec.containers: is empty/, false],
    ["no spec", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n", "refused", /a pod template has a spec/, false],
    [
      "a bad port",
      pod(CONTAINERS, 'name: a, annotations: {traffic.sidecar.istio.io/excludeInboundPorts: "x"}'),
      "refused",
      /excludeInboundPorts"\]: "x" is not a port/,
      false,
    ],
    [
      "two containers of one name",
      pod(`initContainers: [{name: web}], ${CONTAINERS}`),
      "refused",
      /initContainers\[0\]: the name web is/,
      false,
    ],
    [
      "two volumes of one name",
      pod(`${CONTAINERS}, volumes: [{name: a}, {name: a}]`),
      "refused",
      /volumes\[1\]: the name a is given/,
      false,
    ],
    ["a container with an empty name", pod("containers: [{name: ''}]"), "refused", /containers\[0\]: has no name/, false],
    ["a container with the sidecar's name", pod("containers: [{name: meshctl-proxy}]"), "refused", /meshctl-proxy is reserved/, false],
    [
      "a layout that can't be edited",
      pod("containers: [{name: web}], volumes"),
      "refused",
      /its text can't be edited \(a key without a colon\): write it in/,
      true,
    ],
    [
      "more probes than a record holds",
      pod(
        `containers: [${Array.from({ length: 40 }, (_, index) => `{name: web-${index}, readinessProbe: {tcpSocket: {port: 1}}}`).join()}]`,
      ),
      "refused",
      /does not fit into an annotation of 4096 bytes\): annotate the pod sidecar\.istio\.io\/rewriteAppHTTPProbers: "false"/,
      true,
    ],
    [
      "a handler beside a null one",
      pod("containers: [{name: web, readinessProbe: {httpGet: null, tcpSocket: {port: 1}}}]"),
      "refused",
      /readinessProbe has an httpGet beside its tcpSocket\): leave one of them/,
      true,
    ],
    [
      "a pod of Windows nodes",
      pod(`nodeSelector: {kubernetes.io/os: windows}, ${CONTAINERS}`),
      "skipped",
      /run Windows.*inject=disabled/,
      true,
    ],
    ["a Windows pod", pod(`os: {name: windows}, ${CONTAINERS}`), "skipped", /its nodes run Windows/, true],
  ] as const) {
    test(`leaves ${what} as it is, and says why`, () => {
      const found = report(text);
      assert.equal(found.outcome, outcome);
      assert.match(found.reason, reason);
      assert.equal(found.isProblem, isProblem);
      assert.equal(injectText(text).text, text);
    });
  }

  for (const [what, text, warning] of [
    ["a word that decides nothing", pod(CONTAINERS, 'name: a, labels: {sidecar.istio.io/inject: "True"}'), /says neither yes nor no/],
    ["an annotation that is no text", pod(CONTAINERS, "name: a, annotations: {x: 1}"), /annotations\["x"\]: 1 is no text/],
    [
      "a probe of a port that there isn't",
      pod("containers: [{name: web, readinessProbe: {httpGet: {port: http}}}]"),
      /readinessProbe.httpGet: "http" is no port of this container/,
    ],
    [
      "an annotation that has no effect",
      pod(CONTAINERS, "name: a, annotations: {sidecar.istio.io/statsInclusionPrefixes: x}"),
      /statsInclusionPrefixes has no effect/,
    ],
    [
      "a misspelled annotation of ours",
      pod(CONTAINERS, "name: a, annotations: {meshctl.io/proxyCpu: 1m}"),
      /did you mean meshctl.io\/proxyCPU\?/,
    ],
    [
      "a setting of Istio's proxy that has no effect",
      pod(CONTAINERS, 'name: a, annotations: {proxy.istio.io/config: "tracing: {}"}'),
      /proxy.istio.io\/config: tracing has no effect/,
    ],
    ["the sidecar's user", pod(`securityContext: {runAsUser: 1337}, ${CONTAINERS}`), /runs as user 1337/],
    ["a port of the sidecar's", pod("containers: [{name: web, ports: [{containerPort: 15001}]}]"), /port 15001, which the sidecar uses/],
    [
      "a namespace that refuses capture",
      `${pod(CONTAINERS)}---\napiVersion: v1\nkind: Namespace\nmetadata: {name: default, labels: {pod-security.kubernetes.io/enforce: baseline}}\n`,
      /Pod Security "baseline"/,
    ],
  ] as const) {
    test(`injects and warns of ${what}`, () => {
      const found = report(text);
      assert.equal(found.outcome, "injected");
      assert.equal(found.warnings.length, 1);
      assert.match(found.warnings[0]!, warning);
    });
  }

  test("injects where ports are no ports, which is the API server's to say", () => {
    assert.equal(
      report(pod("containers: [{name: web, ports: [80, null, {name: a}], readinessProbe: {tcpSocket: {port: b}}}]")).outcome,
      "injected",
    );
  });

  test("leaves kinds of the same name in other groups, and everything without a pod, byte for byte", () => {
    const text = `apiVersion: batch.volcano.sh/v1\nkind: Job\nspec: {tasks: [{template: {spec: {${CONTAINERS}}}}]}\n---\n- 1\n---\njust text\n--- # nothing\n`;
    const { text: after, reports } = injectText(text);
    assert.equal(after, text);
    assert.deepEqual(reports, []);
  });

  test("tells of what has a pod template and is of a kind that it doesn't know", () => {
    const rollout = `apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: web}\nspec: {template: {spec: {${CONTAINERS}}}}\n`;
    const text = `${rollout}---\n${pod(CONTAINERS)}`;
    const { text: after, reports, others } = injectText(text);
    assert.ok(after.startsWith(rollout));
    assert.deepEqual(
      reports.map(({ place, label, outcome, isProblem }) => [place, label, outcome, isProblem]),
      [
        ["app.yaml:1", "Rollout web of argoproj.io/v1alpha1", "skipped", false],
        ["app.yaml:6", "Pod a", "injected", false],
      ],
    );
    assert.equal(others, 0);
  });

  test("injects the members of lists of one kind, which need not repeat it", () => {
    const items = `items:\n  - metadata: {name: a}\n    spec: {template: {spec: {${CONTAINERS}}}}\n`;
    const text = `apiVersion: apps/v1\nkind: DeploymentList\n${items}---\napiVersion: v1\nkind: ConfigMapList\nitems: [{data: {}}]\n`;
    const { text: after, reports, others } = injectText(text);
    assert.deepEqual([reports.map(({ label, outcome }) => [label, outcome]), others], [[["Deployment a", "injected"]], 1]);
    assert.equal(uninjectText(after).text, text);
  });

  test("follows the label of a Namespace object of the same input", () => {
    const namespace = "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: default, labels: {istio-injection: disabled}}\n";
    assert.match(report(pod(CONTAINERS) + namespace).reason, /istio-injection=disabled on the namespace/);
  });

  test("replaces what another version injected", () => {
    const old = injectText(pod(CONTAINERS), { image: "meshctl:old" }).text;
    assert.equal(injectText(old).text, injectText(pod(CONTAINERS)).text);
  });

  test("takes the sidecar out of a pod that says no by now", () => {
    const text = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  labels:\n    app: web\nspec:\n  containers:\n    - name: web\n";
    const no = (each: string): string => each.replace("    app: web\n", "    app: web\n    meshctl.io/inject: disabled\n");
    assert.equal(injectText(no(injectText(text).text)).text, no(text));
  });
});

describe("objects of the mesh API that nothing reads", () => {
  const reports = (text: string): (readonly [string, string | undefined])[] =>
    reportUnreadKinds(parse(text)).map(({ place, label, reason }) => [`${place} ${label}`, reason]);
  const object = (apiVersion: string, kind: string): string => `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: a}\n`;

  test("are told, with what was meant", () => {
    const text = `${object("v1", "Service")}---\n${object("networking.istio.io/v1", "VirtualServise")}---\n${object("security.istio.io/v2", "PeerAuthentication")}`;
    assert.deepEqual(reports(text), [
      ["app.yaml:5 VirtualServise a", "this mesh reads no VirtualServise of networking.istio.io/v1; did you mean VirtualService?"],
      ["app.yaml:9 PeerAuthentication a", "this mesh reads no PeerAuthentication of security.istio.io/v2; write security.istio.io/v1"],
    ]);
    assert.match(reports(object("networking.istio.io/v1", "EnvoyFilter"))[0]![1]!, /it reads VirtualService, /);
  });

  test("are not those that are read, nor those of other groups", () => {
    assert.deepEqual(reports(`${object("networking.istio.io/v1beta1", "VirtualService")}---\n${object("example.com/v1", "Gateway")}`), []);
  });
});

describe("uninjecting what was edited", () => {
  const original =
    "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  labels:\n    security.istio.io/tlsMode: disabled # off\nspec:\n  containers:\n    - name: web\n";
  const injected = injectText(original).text;

  test("keeps the person's edits", () => {
    const edit = (text: string): string =>
      text.replace("    - name: web\n", "    - name: web\n      image: web:2 # new\n").replace("name: a", "name: b");
    const volume = "\n    - name: meshctl-token";
    const more = edit(injected).replace(volume, `\n    - name: mine\n      emptyDir: {}${volume}`);
    assert.equal(uninjectText(more).text, `${edit(original)}  volumes:\n    - name: mine\n      emptyDir: {}\n`);
  });

  test("leaves a part of ours that was changed by hand, and names it", () => {
    const { text, reports } = uninjectText(injected.replace("image: meshctl\n", "image: meshctl:fork\n"));
    assert.deepEqual(reports[0]?.warnings, ["/spec/initContainers/meshctl-init was changed by hand and stays"]);
    assert.equal(reports[0]?.isProblem, true);
    const spec = (parse(text).texts[0]!.document.value as { spec: { initContainers: { name: string }[]; volumes?: unknown } }).spec;
    assert.deepEqual(
      spec.initContainers.map((each) => each.name),
      ["meshctl-init"],
    );
    assert.equal(spec.volumes, undefined);
  });

  test("is left alone by a second inject, which says so", () => {
    const edited = injected.replace("image: meshctl\n", "image: meshctl:fork\n");
    const { text, reports } = injectText(edited);
    assert.equal(text, edited);
    assert.match(reports[0]!.reason!, /meshctl-init was changed by hand/);
  });

  test("gives the same content from what kubectl prints: sorted, with defaults, as JSON too", () => {
    const value = parse(injected).texts[0]!.document.value as { spec: Record<string, { name: string }[]> };
    for (const each of [...value.spec["initContainers"]!, ...value.spec["containers"]!])
      Object.assign(each, { imagePullPolicy: "Always", terminationMessagePath: "/dev/termination-log" });
    const sorted = JSON.parse(JSON.stringify(value), (_, each: unknown) =>
      typeof each === "object" && each !== null && !Array.isArray(each)
        ? Object.fromEntries(Object.entries(each).toSorted(([a], [b]) => (a < b ? -1 : 1)))
        : each,
    ) as unknown;
    const app = { name: "web", imagePullPolicy: "Always", terminationMessagePath: "/dev/termination-log" };
    const expected = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "a", labels: { "security.istio.io/tlsMode": "disabled" } },
      spec: { containers: [app] },
    };
    for (const printed of [dumpYaml(sorted), JSON.stringify(sorted, undefined, 4)])
      assert.deepEqual(parse(uninjectText(printed).text).texts[0]!.document.value, expected);
    assert.deepEqual(JSON.parse(uninjectText(JSON.stringify(sorted)).text), expected);
  });

  test("gives probes and scrape annotations back from what kubectl prints", () => {
    const handlers = {
      readinessProbe: { tcpSocket: { port: 5432 } },
      livenessProbe: { httpGet: { path: "/a", port: "http" }, periodSeconds: 3 },
    };
    const app = { name: "web", ...handlers, ports: [{ name: "http", containerPort: 80 }] };
    const metadata = { name: "a", annotations: { "prometheus.io/port": "9090" } };
    const value = { apiVersion: "v1", kind: "Pod", metadata, spec: { containers: [app] } };
    const printed = JSON.parse(JSON.stringify(parse(injectText(dumpYaml(value)).text).texts[0]!.document.value)) as {
      spec: { containers: { readinessProbe: { httpGet: object } }[] };
    };
    const probe = printed.spec.containers[0]!.readinessProbe;
    assert.deepEqual(probe.httpGet, { path: "/app-health/web/readyz", port: 15020 });
    Object.assign(probe.httpGet, { scheme: "HTTP" });
    for (const text of [dumpYaml(printed), JSON.stringify(printed, undefined, 2)])
      assert.deepEqual(parse(uninjectText(text).text).texts[0]!.document.value, value);
    assert.deepEqual(JSON.parse(uninjectText(JSON.stringify(printed)).text), value);
  });

  test("gives a probe back as content where its own text would say something else by now", () => {
    const deep =
      "spec:\n        containers:\n                - name: web\n                  readinessProbe:\n                          tcpSocket:\n                                  port: 1\n";
    const text = `apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n${deep}`;
    const value = parse(text).texts[0]!.document.value;
    const printed = dumpYaml(parse(injectText(text).text).texts[0]!.document.value);
    assert.deepEqual(parse(uninjectText(printed).text).texts[0]!.document.value, value);
    const shallow =
      "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n containers:\n - name: web\n   readinessProbe:\n    tcpSocket:\n     port: 1\n     host: b\n";
    // Children of the handler's own text come to stand under its key, or beside it.
    for (const column of [9, 5]) {
      const indent = " ".repeat(column);
      const wide = injectText(shallow).text.replace(
        /^ {4}httpGet:\n {6}(.*)\n {6}(.*)\n/m,
        `${indent}httpGet:\n${indent}  $1\n${indent}  $2\n`,
      );
      assert.match(wide, new RegExp(`^${indent}httpGet:`, "m"));
      assert.deepEqual(parse(uninjectText(wide).text).texts[0]!.document.value, parse(shallow).texts[0]!.document.value);
    }
  });

  test("keeps a probe's other fields that were edited, and names a handler of ours that was", () => {
    const text =
      "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n    - name: web\n      readinessProbe:\n        periodSeconds: 1\n        tcpSocket:\n          port: 1\n";
    const meshed = injectText(text).text;
    const slower = (each: string): string =>
      each.replace("        periodSeconds: 1\n", "        periodSeconds: 10\n        failureThreshold: 9\n");
    assert.equal(uninjectText(slower(meshed)).text, slower(text));
    const { text: after, reports } = uninjectText(meshed.replace("path: /app-health/web/readyz", "path: /mine"));
    assert.deepEqual(reports[0]?.warnings, ["/spec/containers/web/readinessProbe/httpGet was changed by hand and stays"]);
    assert.match(after, /path: \/mine/);
  });

  test("is refused where the record can't be read", () => {
    const text = pod(CONTAINERS, `name: a, annotations: {${INJECTED_ANNOTATION}: "{}"}`);
    const { text: after, reports } = uninjectText(text);
    assert.equal(after, text);
    assert.match(reports[0]!.reason!, /can't be read/);
  });
});
