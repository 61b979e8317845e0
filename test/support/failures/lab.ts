// Where failures are provoked: one proxy between raw peers, whose access log tells flag and details of every request.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { Causes } from "../../../src/proxy-runtime/failure/causes.ts";
import type { ProxyConfig } from "../../../src/proxy-runtime/config/proxy-config.ts";
import { eventually } from "../eventually.ts";
import { cluster, httpFilter, listener, startPlane, staticResources, toCluster, type Json, type TestPlane } from "../proxy-plane.ts";
import { connectRaw, startRawServer, type RawPeer, type RawServer } from "../raw-peer.ts";

export const GET = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";
/** A request that does not end. */
export const HALF_POST = "POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 9\r\n\r\nhalf";
/** A response that does not end. */
export const HALF_OK = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf";
/** A short time for a timeout that is to pass. */
export const SOON = "0.1s";

export interface LabOptions {
  /** Of the connection manager, the route's action, the route, the cluster `up` and the listener. */
  readonly manager?: Json;
  readonly action?: Json;
  readonly route?: Json;
  readonly cluster?: Json;
  readonly listener?: Json;
  /** More of the virtual host. */
  readonly host?: Json;
  /** In place of the connection manager. */
  readonly filter?: Json;
  /** More of the filter chain. */
  readonly chain?: Json;
  readonly secrets?: readonly Json[];
  /** The cluster's port; the lab's own server by default. */
  readonly port?: number;
}

export interface FailureCase {
  readonly cause: keyof typeof Causes;
  /** Where a cause has more than one way to happen. */
  readonly when?: string;
  /** The party that `x-mesh-error` or the log names. */
  readonly by: string;
  /** What is said beside the party. */
  readonly detail?: RegExp;
  /** What the access log has in place of the cause's own status: what had been sent before. */
  readonly loggedStatus?: number;
  /** A flag beside the cause's own. */
  readonly alsoFlag?: string;
  /** Counters that must have counted. */
  readonly stats?: readonly string[];
  /** `none`: no reply is due; `refusal`: the connection is turned away, and only the log tells. */
  readonly reply?: "none" | "refusal";
  /** Makes it happen; answers what the client has received. */
  provoke(lab: Lab): Promise<string | undefined>;
}

const within = { withinMs: 5000 };

export class Lab {
  readonly #context: TestContext;
  readonly #folder: string;
  #server: RawServer | undefined;
  #plane: TestPlane | undefined;

  constructor(context: TestContext) {
    this.#context = context;
    this.#folder = mkdtempSync(join(tmpdir(), "meshctl-failures-"));
    context.after(async () => {
      await this.#plane?.stop();
      await this.#server?.stop();
      rmSync(this.#folder, { recursive: true });
    });
  }

  get plane(): TestPlane {
    return this.#plane!;
  }

  /** Starts a proxy in front of a server that runs `script` for each connection, or of another port. */
  async start(options: LabOptions = {}, script: (peer: RawPeer, index: number) => void = () => undefined): Promise<void> {
    this.#server = await startRawServer(script);
    const logged = this.#accessLog();
    const route = toCluster("up", options.action, options.route);
    const table = { virtual_hosts: [{ name: "all", domains: ["*"], routes: [route], ...options.host }] };
    const filter = options.filter ?? httpFilter([], { ...logged, ...options.manager }, table);
    const chain = { filters: [filter], ...options.chain };
    const bootstrap = staticResources(
      [listener([chain], { traffic_direction: "OUTBOUND", ...options.listener })],
      [cluster("up", [options.port ?? this.#server.port], options.cluster)],
      options.secrets ?? [],
    );
    this.#plane = await startPlane(bootstrap);
  }

  /** As the access log has it for every kind of filter. */
  #accessLog(): Json {
    const extensions = "type.googleapis.com/envoy.extensions";
    return {
      access_log: [
        {
          name: "envoy.access_loggers.file",
          typed_config: {
            "@type": `${extensions}.access_loggers.file.v3.FileAccessLog`,
            path: join(this.#folder, "log"),
            log_format: {
              text_format_source: {
                inline_string: "%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS%\n",
              },
            },
          },
        },
      ],
    };
  }

  get accessLog(): Json {
    return this.#accessLog();
  }

  /** Changes what a bootstrap can't say. */
  async reconfigure(change: (config: ProxyConfig) => Partial<ProxyConfig>): Promise<void> {
    await this.plane.plane.apply({ ...this.plane.config, ...change(this.plane.config) });
  }

  async client(): Promise<RawPeer> {
    const peer = await connectRaw(this.plane.port());
    this.#context.after(() => peer.destroy());
    return peer;
  }

  /** Sends this and answers what comes before the connection, or the response's head, ends. */
  async ask(request: string = GET): Promise<string> {
    return (await this.client()).write(request).receives("\r\n\r\n");
  }

  /** A client whose request has reached the server, and the server's end. */
  async meet(request: string = GET, part = "\r\n\r\n"): Promise<{ client: RawPeer; host: RawPeer }> {
    const client = (await this.client()).write(request);
    const host = await this.#server!.peer(0);
    await host.receives(part);
    return { client, host };
  }

  /** A client whose response has begun and will not go on, until its connection breaks off. */
  async breakOff(request: string = GET): Promise<string> {
    const { client, host } = await this.meet(request);
    host.write(HALF_OK);
    await client.receives("half");
    return client.untilEnd();
  }

  stat(name: string): number {
    return this.plane.stat(name);
  }

  expect(stat: string, value: number): void {
    assert.equal(this.stat(stat), value, stat);
  }

  /** Runs when the test is over. */
  onEnd(clean: () => Promise<unknown> | void): void {
    this.#context.after(async () => void (await clean()));
  }

  /** The lines of the access log, once there are some; the proxy ends. */
  async logged(): Promise<string[]> {
    const file = join(this.#folder, "log");
    await this.plane.stop();
    const lines = await eventually(() => {
      const text = readFileSync(file, "utf8");
      return text === "" ? assert.fail("nothing was logged") : text;
    }, within);
    return lines.trim().split("\n");
  }
}
