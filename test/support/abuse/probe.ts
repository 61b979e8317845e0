// The bystander: `probe.ts ADDRESS PORT` asks for one path again and again, mostly on one connection, now and then on a new one,
// and tells at the end how many answers came and how long the slowest took.
import { Agent, get } from "node:http";
import { BYSTANDER_PATH } from "./hop-bootstrap.ts";

export interface ProbeResult {
  readonly answers: number;
  readonly failures: readonly string[];
  readonly slowestMs: number;
}

const PERIOD_MS = 20;
const NEW_CONNECTION_EVERY = 10;
const GIVE_UP_MS = 20_000;

const [host, port] = process.argv.slice(2) as [string, string];
const kept = new Agent({ keepAlive: true, maxSockets: 1 });
const failures: string[] = [];
let answers = 0;
let asked = 0;
let slowestMs = 0;
let isOver = false;

function ask(): Promise<void> {
  return new Promise((done) => {
    const startedAt = performance.now();
    const end = (failure: string | undefined): void => {
      slowestMs = Math.max(slowestMs, performance.now() - startedAt);
      if (failure === undefined) answers += 1;
      else failures.push(failure);
      done();
    };
    const agent = asked++ % NEW_CONNECTION_EVERY === 0 ? false : kept;
    const request = get({ host, port, path: BYSTANDER_PATH, agent, timeout: GIVE_UP_MS }, (response) => {
      response.resume();
      response.once("end", () => end(response.statusCode === 200 ? undefined : `status ${response.statusCode}`));
      response.once("error", (error) => end(error.message));
    });
    request.once("timeout", () => request.destroy(new Error(`no answer within ${GIVE_UP_MS} ms`)));
    request.once("error", (error) => end(error.message));
  });
}

process.stdin.once("end", () => (isOver = true)).resume();
// The first one pays for what the probe itself has to compile.
await ask();
slowestMs = 0;
console.log(JSON.stringify("ready"));
while (!isOver) {
  const startedAt = performance.now();
  await ask();
  await new Promise((resume) => setTimeout(resume, Math.max(0, PERIOD_MS - (performance.now() - startedAt))));
}
console.log(JSON.stringify({ answers, failures, slowestMs } satisfies ProbeResult));
kept.destroy();
