// Manifests for property tests: the same few workloads, in every way of writing them down.
import { dump, DUMP_SCHEMA } from "js-yaml";
import { dumpYaml } from "../../../src/common/yaml.ts";

/** Repeatable: the same seed gives the same manifests. */
export class ManifestGenerator {
  #state: number;

  constructor(seed: number) {
    this.#state = seed * 2_654_435_761 + 1;
  }

  #below(count: number): number {
    // A linear congruential generator (Numerical Recipes); its high bits are the good ones.
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((this.#state / 2 ** 32) * count);
  }

  #pick<T>(choices: readonly T[]): T {
    return choices[this.#below(choices.length)]!;
  }

  #maybe(): boolean {
    return this.#below(2) === 0;
  }

  /** A file of one to four documents. */
  file(): string {
    const documents = Array.from({ length: 1 + this.#below(4) }, () => this.#document());
    let text = documents
      .map((each) => (each.endsWith("\n") ? each : `${each}\n`))
      .join(this.#pick(["---\n", "--- # next\n", "...\n---\n"]));
    if (this.#maybe()) text = `---\n${text}`;
    if (this.#below(4) === 0) text = `# a file\n\n${text}`;
    if (this.#below(3) === 0) text = text.trimEnd();
    return this.#below(3) === 0 ? text.replaceAll("\n", "\r\n") : text;
  }

  #document(): string {
    const objects = Array.from({ length: 1 + this.#below(3) }, (_, index) => this.#object(index));
    const value = objects.length === 1 ? objects[0] : { apiVersion: "v1", kind: "List", items: objects };
    switch (this.#below(6)) {
      case 5:
        return this.#referring(objects);
      case 0:
        return JSON.stringify(value);
      case 1:
        return JSON.stringify(value, undefined, this.#pick([2, 4, "\t"]));
      case 2:
        return this.#flow(value);
      case 3:
        return objects.length === 1 ? this.#shared() : this.#commented(dumpYaml(value));
      default:
        return this.#commented(dumpYaml(value));
    }
  }

  #object(index: number): unknown {
    const kind = this.#pick(["Deployment", "Pod", "CronJob", "Job", "StatefulSet", "Service"]);
    const metadata = { name: `app-${index}`, ...(this.#maybe() ? { namespace: "shop" } : {}) };
    if (kind === "Service") return { apiVersion: "v1", kind, metadata, spec: { ports: [{ port: 80 }] } };
    const pod = this.#pod();
    if (kind === "Pod") return { apiVersion: "v1", kind, metadata: { ...metadata, ...pod.metadata }, spec: pod.spec };
    if (kind === "CronJob") return { apiVersion: "batch/v1", kind, metadata, spec: { jobTemplate: { spec: { template: pod } } } };
    return { apiVersion: kind === "Job" ? "batch/v1" : "apps/v1", kind, metadata, spec: { replicas: 2, template: pod } };
  }

  #pod(): { metadata?: object; spec: object } {
    const labels = this.#pick<unknown>([
      undefined,
      null,
      {},
      { app: "web" },
      { app: "web", "security.istio.io/tlsMode": "disabled" },
      { "security.istio.io/tlsMode": this.#pick(["it's", "a # b", "yes"]), version: "1.0" },
    ]);
    const annotations = this.#pick<unknown>([
      undefined,
      null,
      {},
      { team: "shop" },
      { note: "two\nlines\n" },
      { "linkerd.io/inject": "enabled" },
      { "prometheus.io/scrape": "true", "prometheus.io/port": "9090", "prometheus.io/scheme": "https" },
      { "prometheus.istio.io/merge-metrics": "false", "sidecar.istio.io/rewriteAppHTTPProbers": "false" },
    ]);
    const metadata = { ...(labels === undefined ? {} : { labels }), ...(annotations === undefined ? {} : { annotations }) };
    const spec = {
      ...(this.#maybe() ? { serviceAccountName: "web" } : {}),
      ...this.#pick<object>([
        {},
        {},
        { initContainers: null },
        { initContainers: [] },
        { initContainers: [{ name: "migrate", image: "x" }] },
      ]),
      containers: [
        { name: "web", image: "web:1", args: ["--flag", "a\nb\n\n"], ...this.#handlers(), ports: [{ name: "http", containerPort: 80 }] },
        ...(this.#maybe() ? [{ name: "second", ...this.#handlers() }] : []),
      ],
      ...this.#pick<object>([{}, { volumes: [] }, { volumes: null }, { volumes: [{ name: "data", emptyDir: {} }] }]),
    };
    return { ...(this.#below(4) === 0 ? {} : { metadata }), spec };
  }

  #handlers(): object {
    const handler = (): object =>
      this.#pick<object>([
        { httpGet: { path: "/a b", port: 8080, httpHeaders: [{ name: "X", value: "it's # y" }] } },
        { httpGet: { port: "http" } },
        { tcpSocket: { port: 5432 } },
        { grpc: { port: 9000, service: "a" } },
        { exec: { command: ["true"] } },
      ]);
    const probe = (): object => ({
      ...(this.#maybe() ? { periodSeconds: 5 } : {}),
      ...handler(),
      ...(this.#maybe() ? { timeoutSeconds: 2 } : {}),
    });
    return {
      ...(this.#maybe() ? { readinessProbe: probe() } : {}),
      ...(this.#below(3) === 0 ? { livenessProbe: probe() } : {}),
      ...(this.#below(3) === 0 ? { lifecycle: { preStop: { httpGet: { port: 80, path: "/stop" } } } } : {}),
    };
  }

  /** Flow style as people write it: plain words, blanks, trailing commas, over several lines. */
  #flow(value: unknown): string {
    const gap = this.#pick(["", " ", "\n  ", " # why\n  "]);
    const write = (each: unknown): string => {
      if (Array.isArray(each))
        return each.length === 0 ? "[]" : `[${gap}${each.map(write).join(`,${gap === "" ? " " : gap}`)}${this.#pick(["", ",", " "])}]`;
      if (typeof each === "object" && each !== null) {
        const entries = Object.entries(each).map(([key, member]) => `${this.#maybe() ? key : JSON.stringify(key)}: ${write(member)}`);
        return entries.length === 0 ? "{ }" : `{${gap}${entries.join(`,${gap === "" ? " " : gap}`)}${gap.includes("\n") ? "\n" : ""}}`;
      }
      return typeof each === "string" && /^[a-z]+$/.test(each) && each !== "yes" && this.#maybe() ? each : JSON.stringify(each);
    };
    return write(value);
  }

  /** Block style with comments, blank lines, lists at the column of their key, empty values. */
  #commented(text: string): string {
    const emptied = this.#maybe() ? text.replaceAll(/: null$/gm, this.#pick([":", ": ~", ":  # nothing", ": null # none"])) : text;
    const dedented = this.#maybe() ? emptied : dedentLists(emptied);
    let inScalar = -1;
    return dedented
      .split("\n")
      .map((line) => {
        const indent = line.search(/\S/);
        if (inScalar >= 0 && (indent < 0 || indent > inScalar)) return line;
        inScalar = /[|>][-+]?$/.test(line) ? indent : -1;
        if (indent < 0 || inScalar >= 0) return line;
        switch (this.#below(8)) {
          case 0:
            return `${" ".repeat(indent)}# above\n${line}`;
          case 1:
            return `${line} # behind`;
          case 2:
            return `\n${line}`;
          case 3:
            return `# at the margin\n${line}`;
          default:
            return line;
        }
      })
      .join("\n");
  }

  /** Every map and list that is the same somewhere else is an alias of the first or, where a block map may be one, a merge. */
  #referring(objects: readonly unknown[]): string {
    const known = new Map<string, unknown>();
    const share = (each: unknown): unknown => {
      if (typeof each !== "object" || each === null) return each;
      const copy: unknown = Array.isArray(each)
        ? each.map(share)
        : Object.fromEntries(Object.entries(each).map(([key, member]) => [key, share(member)]));
      const text = JSON.stringify(copy);
      if (!known.has(text)) known.set(text, copy);
      return known.get(text);
    };
    const more = this.#object(9) as { readonly spec: unknown };
    const value = {
      apiVersion: "v1",
      kind: "List",
      items: share([...objects, more, { apiVersion: "v1", kind: "ConfigMap", data: more.spec }]),
    };
    const text = dump(value, { schema: DUMP_SCHEMA, lineWidth: -1, flowLevel: this.#pick([-1, -1, -1, 8]) });
    const mayMerge = /^( *)((?:\w*Probe|preStop|labels|annotations|metadata|spec|template):) (\*\w+)$/gm;
    return text.replace(mayMerge, (whole, indent: string, key: string, alias: string) =>
      this.#maybe() ? `${indent}${key}\n${indent}  <<: ${alias}` : whole,
    );
  }

  #shared(): string {
    return this.#pick(SHARED);
  }
}

/** `key:\n  - a` becomes `key:\n- a`, as kubectl prints it: nothing else of dumpYaml's text has this shape. */
function dedentLists(text: string): string {
  const open: { dash: number; shift: number }[] = [];
  return text
    .split("\n")
    .map((line) => {
      const indent = line.search(/\S/);
      if (indent < 0) return line;
      while (open.length > 0 && indent < open.at(-1)!.dash) open.pop();
      const isItem = line.startsWith("- ", indent);
      if (isItem && open.at(-1)?.dash !== indent) open.push({ dash: indent, shift: (open.at(-1)?.shift ?? 0) + 2 });
      return line.slice(Math.min(indent, open.at(-1)?.shift ?? 0));
    })
    .join("\n");
}

/** Anchors, aliases and merges around what injection edits. */
export const SHARED: readonly string[] = [
  `apiVersion: apps/v1
kind: Deployment
metadata:
  name: alias-of-labels
spec:
  selector:
    matchLabels: &labels
      app: web
  template:
    metadata:
      labels: *labels # the same
    spec:
      containers:
        - name: web
`,
  `apiVersion: apps/v1
kind: Deployment
metadata:
  name: anchor-on-labels
spec:
  template:
    metadata:
      labels: &labels {app: web}
    spec: &spec
      containers: &containers
      - name: web
  selector:
    matchLabels: *labels
x-spec: *spec
x-containers: [*containers, *labels]
`,
  `apiVersion: v1
kind: List
items:
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: one}
  spec:
    template: &template
      metadata:
        annotations: &notes
          a: b
      spec: &spec
        containers:
        - name: web
        volumes: []
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: two}
  spec:
    template: *template
- apiVersion: v1
  kind: Pod
  metadata: {name: three, annotations: *notes}
  spec: *spec
- apiVersion: v1
  kind: Pod
  metadata:
    name: four
    annotations:
      <<: *notes
      c: d
  spec:
    <<: *spec
    initContainers:
      - name: first
`,
  `x-probe: &probe
  httpGet: &get
    path: /healthz # the same for all
    port: 8080
x-defaults: &defaults
  livenessProbe:
    tcpSocket: &socket {port: 1}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: shared-probes
spec:
  template:
    spec:
      containers:
        - name: web
          readinessProbe: *probe
          startupProbe: {<<: *probe, periodSeconds: 1}
        - name: other
          <<: *defaults
          readinessProbe:
            httpGet: *get
          startupProbe:
            tcpSocket: *socket
        - name: anchored
          readinessProbe:
            httpGet: &own
              port: 1
          startupProbe:
            httpGet: *own
`,
  `x-defaults: &defaults
  tcpSocket: {port: 80}
  periodSeconds: 3 # seconds
x-notes: &notes
  prometheus.io/port: "9090"
  team: shop
apiVersion: v1
kind: Pod
metadata:
  name: merged-handlers
  annotations:
    <<: *notes
    other: thing
spec:
  containers:
    - name: web
      readinessProbe:
        # merged
        <<: *defaults
        timeoutSeconds: 2 # seconds
      livenessProbe: {<<: *defaults}
      startupProbe: &startup
        <<: *defaults
        tcpSocket: {port: 81}
    - name: other
      startupProbe: *startup
`,
  `x-common: &common
  labels:
    app: web
    security.istio.io/tlsMode: &mode disabled
  annotations: {team: shop}
apiVersion: batch/v1
kind: CronJob
metadata:
  name: merged
spec:
  jobTemplate:
    spec:
      template:
        metadata:
          <<: [*common, {annotations: {other: thing}}]
        spec:
          restartPolicy: Never
          containers:
            - name: web
              env:
                - {name: MODE, value: *mode}
`,
  `apiVersion: v1
kind: Pod
metadata:
  name: scalars
  labels:
    security.istio.io/tlsMode: &mode disabled
    other: *mode
  annotations:
    word: &word web
    kubectl.kubernetes.io/default-container: *word
spec:
  containers:
    - name: *word
`,
];
