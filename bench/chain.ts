// A chain: what a request passes between load generator and origin, under the name that the report gives it. Before it is
// measured it must show that it does the work it is measured for.
import { request } from "node:http";
import { connect } from "node:tls";
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { UserError } from "../src/common/user-error.ts";
import type { Certificates } from "./certificates.ts";
import type { Lab, PinnedProcess } from "./lab.ts";
import { BODY, MATCHING_RULE, REQUEST, RESPONSE_HEADERS } from "./rules.ts";

export interface Chain {
  readonly name: string;
  /** Where the load generator connects. */
  readonly port: number;
  readonly processes: readonly PinnedProcess[];
  /** Has the rules and header edits of rules.ts, and is held to them. */
  readonly isRich: boolean;
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

const READY_WITHIN_MS = 15_000;
const COUNTED_WITHIN_MS = 3_000;
const POLL_MS = 50;

/** Waits until the chain answers, then checks the answer. */
export async function assertWorks(chain: Chain, lab: Lab): Promise<void> {
  const answer = await firstAnswer(chain, lab);
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

async function firstAnswer(chain: Chain, lab: Lab): Promise<Answer> {
  const deadline = performance.now() + READY_WITHIN_MS;
  for (;;) {
    lab.assertAllRun();
    try {
      const answer = await get(chain.port);
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

function get(port: number, path: string = REQUEST.path, host: string = REQUEST.host): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", port, path, headers: { host }, agent: false, timeout: 5_000 }, (response) => {
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

/** Checks that the server end answers the client's identity and nobody else's. */
export async function assertChecksIdentity(name: string, port: number, certificates: Certificates): Promise<void> {
  const own = await firstBytesOverTls(port, certificates, certificates.client);
  if (!own.startsWith("HTTP/1.1 200"))
    throw new UserError(`${name} did not answer its client's identity: ${own.split("\r\n")[0] || "no bytes"}`, "see its configuration");
  const strange = await firstBytesOverTls(port, certificates, certificates.stranger);
  if (strange.startsWith("HTTP/1.1 200"))
    throw new UserError(`${name} answered ${certificates.stranger.spiffeId}, whom it must refuse`, "the identity check is off");
}

function firstBytesOverTls(port: number, { rootsFile, server }: Certificates, who: Certificates["client"]): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({
      host: "127.0.0.1",
      port,
      servername: server.dnsName,
      ca: readFileSync(rootsFile),
      cert: readFileSync(who.certificateFile),
      key: readFileSync(who.keyFile),
      ALPNProtocols: ["http/1.1"],
    });
    const done = (text: string): void => {
      socket.destroy();
      resolve(text);
    };
    socket.setTimeout(5_000, () => done(""));
    socket.once("secureConnect", () => socket.write(`GET ${REQUEST.path} HTTP/1.1\r\nHost: ${REQUEST.host}\r\n\r\n`));
    socket.once("data", (bytes: Buffer) => done(bytes.toString("latin1")));
    socket.once("error", () => done(""));
    socket.once("close", () => done(""));
  });
}
