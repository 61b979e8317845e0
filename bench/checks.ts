// What a chain must show before it is measured: that it does the work it is measured for.
import { readFileSync } from "node:fs";
import { request } from "node:http";
import type { ClientRequest, IncomingMessage, RequestOptions } from "node:http";
import { connect as connectHttp2 } from "node:http2";
import { request as requestOverTls } from "node:https";
import { setTimeout as delay } from "node:timers/promises";
import { UserError } from "../src/common/user-error.ts";
import type { Certificates, Workload } from "./certificates.ts";
import type { Chain } from "./chain.ts";
import type { Lab } from "./lab.ts";
import { BODY, MATCHING_RULE, REQUEST, RESPONSE_HEADERS } from "./rules.ts";

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

export type Ask = (port: number) => Promise<Answer>;

const READY_WITHIN_MS = 15_000;
const COUNTED_WITHIN_MS = 3_000;
const ANSWER_WITHIN_MS = 5_000;
const POLL_MS = 50;

/** Waits until the chain answers, then checks the answer. */
export async function assertWorks(chain: Chain, lab: Lab, ask: Ask = get): Promise<void> {
  const answer = await firstAnswer(chain, lab, ask);
  const complain = (what: string): never => {
    throw new UserError(`${chain.name} ${what}`, "the benchmark measures only proxies that do the work; mend its configuration");
  };
  if (answer.status !== 200 || answer.body !== BODY)
    complain(`answered ${answer.status} ${JSON.stringify(answer.body.slice(0, 200))} instead of the origin's body`);
  if (!chain.isRich) return;
  if (answer.headers["x-seen-rule"] !== MATCHING_RULE)
    complain(`took ${String(answer.headers["x-seen-rule"])} instead of ${MATCHING_RULE}`);
  if (answer.headers["x-seen-request-id"] === undefined) complain("gave the request no x-request-id");
  for (const { name, value } of RESPONSE_HEADERS.set)
    if (answer.headers[name] !== value) complain(`did not set the response header ${name}`);
  for (const name of RESPONSE_HEADERS.remove)
    if (answer.headers[name] !== undefined) complain(`did not remove the response header ${name}`);
}

async function firstAnswer(chain: Chain, lab: Lab, ask: Ask): Promise<Answer> {
  const deadline = performance.now() + READY_WITHIN_MS;
  for (;;) {
    lab.assertAllRun();
    try {
      const answer = await ask(chain.port);
      // 502 to 504 come while the far end of the chain is still starting.
      if (answer.status < 502 || answer.status > 504 || performance.now() > deadline) return answer;
    } catch (error) {
      if (performance.now() > deadline) {
        throw new UserError(
          `${chain.name} gave no answer on port ${chain.port} within ${READY_WITHIN_MS / 1000} s: ${String(error)}`,
          "start it by hand to see why",
        );
      }
    }
    await delay(POLL_MS);
  }
}

/** Checks that the requests so far are in the sidecar's metrics: one without them would have it easier. */
export async function assertCounts(name: string, adminPort: number): Promise<void> {
  const deadline = performance.now() + COUNTED_WITHIN_MS;
  for (;;) {
    const { status, body } = await get(adminPort, "/stats/prometheus", "localhost");
    if (status === 200 && /^istio_requests_total\{[^}]*response_code="200"[^}]*\} [1-9]/m.test(body)) return;
    if (performance.now() > deadline) {
      throw new UserError(`${name} does not count its requests in istio_requests_total`, `its /stats/prometheus answered ${status}`);
    }
    await delay(POLL_MS);
  }
}

export function get(port: number, path: string = REQUEST.path, host: string = REQUEST.host): Promise<Answer> {
  return ask(port, path, host, request);
}

/** A GET over mTLS, with the identity of `who`, or else the client's. */
export function getOverTls({ rootsFile, server, client }: Certificates, who: Workload = client): Ask {
  const identity = {
    servername: server.dnsName,
    ca: readFileSync(rootsFile),
    cert: readFileSync(who.certificateFile),
    key: readFileSync(who.keyFile),
  };
  return (port) => ask(port, REQUEST.path, REQUEST.host, (options, done) => requestOverTls({ ...options, ...identity }, done));
}

type Send = (options: RequestOptions, done: (response: IncomingMessage) => void) => ClientRequest;

function ask(port: number, path: string, host: string, send: Send): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port, path, headers: { host }, agent: false, timeout: ANSWER_WITHIN_MS } as const;
    const sent = send(options, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (chunk: string) => (body += chunk));
      response.once("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
      response.once("error", reject);
    });
    sent
      .once("error", reject)
      .once("timeout", () => sent.destroy(new Error("timed out")))
      .end();
  });
}

/** A POST over HTTP/2 with prior knowledge. */
export function postHttp2(port: number, path: string, headers: Readonly<Record<string, string>>, body: Uint8Array): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    const timer = setTimeout(() => session.destroy(new Error("timed out")), ANSWER_WITHIN_MS);
    const done = (): void => {
      clearTimeout(timer);
      session.destroy();
    };
    const fail = (error: Error): void => {
      done();
      reject(error);
    };
    session.once("error", fail);
    const stream = session.request({ ":method": "POST", ":path": path, ":authority": REQUEST.host, ...headers });
    let seen: Record<string, unknown> = {};
    let text = "";
    stream.once("response", (fields) => (seen = { ...fields }));
    stream.once("trailers", (fields) => (seen = { ...seen, ...fields }));
    stream.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
    stream.once("error", fail);
    stream.once("close", () => {
      done();
      if (seen[":status"] === undefined) reject(new Error("the stream ended without a response"));
      else resolve({ status: Number(seen[":status"]), headers: seen, body: text });
    });
    stream.end(body);
  });
}

/** Checks that the server end answers the client's identity and nobody else's. */
export async function assertChecksIdentity(name: string, port: number, certificates: Certificates): Promise<void> {
  const statusOf = async (who: Workload): Promise<number | string> => {
    try {
      return (await getOverTls(certificates, who)(port)).status;
    } catch (error) {
      return (error as Error).message;
    }
  };
  const own = await statusOf(certificates.client);
  if (own !== 200) throw new UserError(`${name} did not answer its client's identity: ${own}`, "see its configuration");
  if ((await statusOf(certificates.stranger)) === 200)
    throw new UserError(`${name} answered ${certificates.stranger.spiffeId}, whom it must refuse`, "the identity check is off");
}
