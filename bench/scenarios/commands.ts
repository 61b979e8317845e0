// How long a person waits for a command that answers from the machine's own files: whole processes, start to end.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join, resolve } from "node:path";
import { UserError } from "../../src/common/user-error.ts";
import type { Verdict } from "../report.ts";

const RUNS = 9;
const DIST = resolve(import.meta.dirname, "../../dist");

interface TimedCommand {
  readonly args: readonly string[];
  /** Its standard input, and what that is. */
  readonly input?: { readonly what: string; readonly text: string };
  /** Of the median. */
  readonly atMostMs: number;
}

const DEPLOYMENTS = 1000;
const COMMANDS: readonly TimedCommand[] = [
  { args: ["version", "--client"], atMostMs: 150 },
  { args: ["install", "--offline"], atMostMs: 500 },
  { args: ["inject", "-"], input: { what: `${DEPLOYMENTS} Deployments`, text: deployments() }, atMostMs: 2000 },
];

/** As people write them: comments, a probe, resources. */
function deployments(): string {
  return Array.from(
    { length: DEPLOYMENTS },
    (_, index) => `# service ${index}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: app-${index}
  namespace: shop
  labels: { app: app-${index} }
spec:
  replicas: 2
  selector:
    matchLabels: { app: app-${index} }
  template:
    metadata:
      labels: { app: app-${index} }
    spec:
      containers:
        - name: app
          image: registry.example.com/app:1.${index} # pinned
          ports:
            - containerPort: 8080
          readinessProbe:
            httpGet: { path: /ready, port: 8080 }
          resources:
            requests: { cpu: 100m, memory: 64Mi }
`,
  ).join("---\n");
}

export async function commands(report: (verdict: Verdict) => void): Promise<void> {
  for (const { args, input, atMostMs } of COMMANDS) {
    const times: number[] = [];
    for (let run = 0; run < RUNS; run++) times.push(await timeMs(args, input?.text ?? ""));
    const median = times.sort((a, b) => a - b)[RUNS >> 1] ?? Infinity;
    const what = input === undefined ? "" : ` of ${input.what}`;
    const text = `meshctl ${args.join(" ")}${what}: ${median.toFixed(0)} ms, at most ${atMostMs} wanted`;
    report({ text, isReached: median <= atMostMs });
  }
}

async function timeMs(args: readonly string[], input: string): Promise<number> {
  const began = performance.now();
  const child = spawn(process.execPath, [join(DIST, "main.js"), ...args], { stdio: ["pipe", "pipe", "pipe"] });
  child.stdout.resume();
  // A line for each object that was injected.
  child.stderr.resume();
  child.stdin.end(input);
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new UserError(`meshctl ${args.join(" ")} ended with ${code}`, "run it by hand to see why");
  return performance.now() - began;
}
