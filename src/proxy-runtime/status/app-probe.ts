// Asks the application what kubelet would have asked it, before the injector put the sidecar in between.
import { connect, isIPv6 } from "node:net";
import { formatAddress } from "../../common/address.ts";
import { connectGrpc } from "../../xds/grpc-channel.ts";
import { INBOUND_PASSTHROUGH_SOURCE_V4, INBOUND_PASSTHROUGH_SOURCE_V6 } from "../../xds/names.ts";
import type { Answer } from "../admin/answer.ts";
import type { PlainRequest } from "../admin/answer-once.ts";
import type { AppHttpGet, AppProber } from "./app-probers.ts";
import { plainRequest, type PlainResponse } from "./plain-request.ts";

// kubelet's own (pkg/probe/http: maxRespBodyLength; net/http: ten redirects).
const MAX_BODY_BYTES = 10 * 1024;
const MAX_REDIRECTS = 10;
// kubelet's default user agent begins like that, and applications look for it.
const USER_AGENT = "kube-probe/meshctl";

export interface OwnPod {
  readonly ip: string;
}

/** Never rejects: what goes wrong is the answer. */
export async function probeApp({ handler, timeoutMs }: AppProber, asked: PlainRequest, pod: OwnPod): Promise<Answer> {
  const timeout = timeoutMs === undefined ? [] : [AbortSignal.timeout(timeoutMs)];
  const signal = AbortSignal.any([asked.signal, ...timeout]);
  try {
    if (handler.kind === "http") return toAnswer(await getFollowing(handler.http, asked, pod, signal));
    if (handler.kind === "tcp") await connectOnce(placeOf(handler, pod), signal);
    else await checkGrpc(handler.service, placeOf(handler, pod), timeoutMs ?? 0);
    return { status: 200, type: "text/plain; charset=UTF-8", body: "" };
  } catch (error) {
    const why = signal.aborted && !asked.signal.aborted ? `no answer within ${(timeoutMs ?? 0) / 1000} s` : (error as Error).message;
    return { status: 503, type: "text/plain; charset=UTF-8", body: `${why}\n` };
  }
}

interface Place {
  readonly host: string;
  readonly port: number;
  /** Keeps a connection to the pod's own address from being captured as inbound traffic (docs/init.md). */
  readonly localAddress?: string;
}

function placeOf({ host, port }: { readonly host?: string; readonly port: number }, pod: OwnPod): Place {
  return host !== undefined && host !== pod.ip ? { host, port } : ownAddress(pod.ip, port);
}

export function ownAddress(ip: string, port: number): Place {
  return { host: ip, port, localAddress: isIPv6(ip) ? INBOUND_PASSTHROUGH_SOURCE_V6 : INBOUND_PASSTHROUGH_SOURCE_V4 };
}

/** Follows redirects that stay on the host, as kubelet does; any other one is the answer. */
async function getFollowing(get: AppHttpGet, asked: PlainRequest, pod: OwnPod, signal: AbortSignal): Promise<PlainResponse> {
  let url = new URL(`${get.isTls ? "https" : "http"}://${formatAddress(get.host ?? pod.ip, get.port)}`);
  let target = get.path;
  const { hostname } = url;
  const own = new Map(get.headers.map(([name, value]) => [name.toLowerCase(), [name, value] as const]));
  for (let redirects = 0; ; redirects++) {
    const isTls = url.protocol === "https:";
    const port = url.port === "" ? (isTls ? 443 : 80) : Number(url.port);
    const host = hostname.replace(/^\[(.*)\]$/, "$1");
    const fallback = [
      ["Host", url.host],
      ["User-Agent", asked.headers.get("user-agent") ?? USER_AGENT],
      ["Accept", "*/*"],
    ] as const;
    const headers = [
      ...fallback.filter(([name]) => !own.has(name.toLowerCase())),
      // As in kubelet: an empty value leaves the header out.
      ...[...own.values()].filter(([, value]) => value !== ""),
      ["Connection", "close"] as const,
    ];
    const response = await plainRequest({
      ...placeOf({ host, port }, pod),
      tls: isTls,
      target,
      headers,
      maxBodyBytes: MAX_BODY_BYTES,
      signal,
    });
    const location = response.headers.get("location");
    if (location === undefined || ![301, 302, 303, 307, 308].includes(response.status)) return response;
    const next = URL.parse(location, new URL(target, url));
    if (next?.hostname !== hostname) return response;
    if (redirects === MAX_REDIRECTS - 1) throw new Error(`stopped after ${MAX_REDIRECTS} redirects`);
    // A Host header of the probe's own is for the first place only, unless the redirect names none (Go's net/http).
    if (/^[a-z]+:|^\/\//i.test(location)) own.delete("host");
    url = new URL(next.origin);
    target = next.pathname + next.search;
  }
}

function toAnswer({ status, headers, body }: PlainResponse): Answer {
  return { status, type: headers.get("content-type") ?? "text/plain", body: body.toString("utf8") };
}

function connectOnce({ host, port, localAddress }: Place, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, ...(localAddress === undefined ? {} : { localAddress }) });
    const finish = (settle: () => void): void => {
      signal.removeEventListener("abort", onAbort);
      socket.destroy();
      settle();
    };
    const onAbort = (): void => finish(() => reject(signal.reason as Error));
    signal.addEventListener("abort", onAbort);
    socket.on("connect", () => finish(resolve));
    socket.on("error", (error) => finish(() => reject(error)));
  });
}

const HEALTH_CHECK = "/grpc.health.v1.Health/Check";
const STATES = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];

/** grpc.health.v1: a request has the service's name (field 1), an answer its state (field 1). */
async function checkGrpc(service: string, address: Place, timeoutMs: number): Promise<void> {
  const channel = connectGrpc({ address, connectTimeoutMs: timeoutMs });
  try {
    const name = Buffer.from(service);
    const message = name.length === 0 ? name : Buffer.concat([Buffer.of(0x0a), varint(name.length), name]);
    const answer = await channel.unary(HEALTH_CHECK, message, { timeoutMs, metadata: { "user-agent": USER_AGENT } });
    const state = answer[0] === 0x08 ? (answer[1] ?? 0) : 0;
    if (state !== 1) throw new Error(`the service is ${STATES[state] ?? `in state ${state}`}`);
  } finally {
    channel.close();
  }
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let left = value;
  for (; left > 0x7f; left >>>= 7) bytes.push((left & 0x7f) | 0x80);
  return Buffer.of(...bytes, left);
}
