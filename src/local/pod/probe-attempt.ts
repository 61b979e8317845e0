// One attempt of a probe, made from inside the pod as kubelet does from outside: the sidecar never sees it.
import http from "node:http";
import type { Socket } from "node:net";
import type { Probe } from "../../manifests/kube-objects.ts";
import type { NetworkNamespace } from "../network/namespace-socket.ts";

export interface ProbeTarget {
  readonly namespace: NetworkNamespace;
  readonly podIp: string;
  /** Port by number, or by the name that a container gives it. */
  readonly port: (port: number | string) => number | undefined;
  /** Runs a command in the container; resolves to its exit code. */
  readonly exec: (command: readonly string[], timeoutMs: number) => Promise<number>;
}

/** @returns undefined when it succeeded, else why it did not. */
export async function attemptProbe(probe: Probe, target: ProbeTarget): Promise<string | undefined> {
  const timeoutMs = (probe.timeoutSeconds ?? 1) * 1000;
  try {
    if (probe.httpGet !== undefined) return await attemptHttp(probe.httpGet, target, timeoutMs);
    if (probe.tcpSocket !== undefined) return attemptTcp(probe.tcpSocket.port, target);
    if (probe.exec !== undefined) {
      const code = await target.exec(probe.exec.command, timeoutMs);
      return code === 0 ? undefined : `${probe.exec.command.join(" ")}: exit code ${code}`;
    }
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function attemptTcp(port: number | string, target: ProbeTarget): string | undefined {
  const number = target.port(port);
  if (number === undefined) return `no container port is named ${port}`;
  target.namespace.connect(target.podIp, number).destroy();
  return undefined;
}

function attemptHttp(get: NonNullable<Probe["httpGet"]>, target: ProbeTarget, timeoutMs: number): Promise<string | undefined> {
  const port = target.port(get.port);
  if (port === undefined) return Promise.resolve(`no container port is named ${get.port}`);
  const path = get.path ?? "/";
  const where = `GET :${port}${path}`;
  const headers = Object.fromEntries((get.httpHeaders ?? []).map((header) => [header.name, header.value]));
  return new Promise((resolve) => {
    let socket: Socket;
    try {
      socket = target.namespace.connect(target.podIp, port);
    } catch (error) {
      return resolve(`${where}: ${error instanceof Error ? error.message : String(error)}`);
    }
    const request = http.request(
      {
        createConnection: () => socket,
        path: path.startsWith("/") ? path : `/${path}`,
        headers: { "user-agent": "kube-probe/meshctl", host: `${target.podIp}:${port}`, ...headers },
        timeout: timeoutMs,
      },
      (response) => {
        response.resume();
        const status = response.statusCode ?? 0;
        // Kubernetes: 200 to 399 is success.
        resolve(status >= 200 && status < 400 ? undefined : `${where}: status ${status}`);
        socket.destroy();
      },
    );
    request.on("timeout", () => request.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)));
    request.on("error", (error) => resolve(`${where}: ${error.message}`));
    request.end();
  });
}
