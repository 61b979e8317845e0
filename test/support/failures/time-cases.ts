// Failures of time: what takes longer than some timeout allows.
import type { Json } from "../proxy-plane.ts";
import { SOON, type FailureCase, type LabOptions } from "./lab.ts";

/** Nobody answers. */
const silent = (
  cause: FailureCase["cause"],
  by: string,
  detail: RegExp,
  options: LabOptions,
  more: Partial<FailureCase> = {},
): FailureCase => ({
  cause,
  by,
  detail,
  async provoke(lab) {
    await lab.start(options);
    return lab.ask();
  },
  ...more,
});

/** Somebody begins to answer and does not go on. */
const stuck = (cause: FailureCase["cause"], options: LabOptions, more: Partial<FailureCase> = {}): FailureCase => ({
  cause,
  by: "server",
  reply: "none",
  loggedStatus: 200,
  async provoke(lab) {
    await lab.start(options);
    await lab.breakOff();
    return undefined;
  },
  ...more,
});

const perTry = (fields: Json): LabOptions => ({ action: { timeout: "0s", retry_policy: fields } });
const longest: Json = { max_stream_duration: { max_stream_duration: SOON } };
const clusterLongest: LabOptions = { action: { timeout: "0s" }, cluster: { common_http_protocol_options: { max_stream_duration: SOON } } };

export const TIME_CASES: readonly FailureCase[] = [
  silent(
    "upstreamTimeout",
    "server",
    /no response within 100 ms/,
    { action: { timeout: SOON } },
    { stats: ["cluster.up.upstream_rq_timeout"] },
  ),
  silent(
    "upstreamTimeout",
    "server",
    /no response within 80 ms/,
    {},
    {
      when: "an internal request asks for it",
      async provoke(lab) {
        await lab.start();
        return lab.ask("GET / HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-For: 10.0.0.1\r\nX-Envoy-Upstream-Rq-Timeout-Ms: 80\r\n\r\n");
      },
    },
  ),
  silent(
    "upstreamTimeoutAsked",
    "server",
    /no response within 100 ms/,
    {},
    {
      async provoke(lab) {
        await lab.start({ action: { timeout: SOON } });
        return lab.ask(
          "GET / HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-For: 10.0.0.1\r\nX-Envoy-Upstream-Rq-Timeout-Alt-Response: 1\r\n\r\n",
        );
      },
    },
  ),
  stuck("upstreamTimeoutMidway", { action: { timeout: SOON } }, { stats: ["cluster.up.upstream_rq_timeout"] }),
  silent("perTryTimeout", "server", /no response within 100 ms/, perTry({ per_try_timeout: SOON }), {
    stats: ["cluster.up.upstream_rq_per_try_timeout"],
  }),
  silent(
    "perTryTimeout",
    "server",
    /no response within 100 ms/,
    perTry({ per_try_timeout: SOON, retry_on: "5xx", retry_back_off: { base_interval: "0.001s" } }),
    { when: "retries are used up", alsoFlag: "URX", stats: ["cluster.up.upstream_rq_retry_limit_exceeded"] },
  ),
  silent("perTryIdleTimeout", "server", /no byte for 100 ms/, perTry({ per_try_idle_timeout: SOON }), {
    stats: ["cluster.up.upstream_rq_per_try_idle_timeout"],
  }),
  stuck("perTryIdleTimeoutMidway", perTry({ per_try_idle_timeout: SOON }), { stats: ["cluster.up.upstream_rq_per_try_idle_timeout"] }),
  silent(
    "streamIdle",
    "server",
    /no byte for 100 ms/,
    { manager: { stream_idle_timeout: SOON } },
    {
      stats: ["http.test.downstream_rq_idle_timeout"],
    },
  ),
  stuck("streamIdleMidway", { action: { idle_timeout: SOON } }, { stats: ["http.test.downstream_rq_idle_timeout"] }),
  silent(
    "streamDuration",
    "server",
    /longer than the 100 ms/,
    { action: longest },
    {
      stats: ["http.test.downstream_rq_max_duration_reached"],
    },
  ),
  silent(
    "streamDuration",
    "server",
    /longer than the 100 ms/,
    { action: { timeout: "0s" }, manager: { common_http_protocol_options: { max_stream_duration: SOON } } },
    { when: "the connection manager limits it", stats: ["http.test.downstream_rq_max_duration_reached"] },
  ),
  stuck("streamDurationMidway", { action: longest }, { by: "policy" }),
  silent("upstreamDuration", "server", /longer than the 100 ms that cluster up/, clusterLongest, {
    stats: ["cluster.up.upstream_rq_max_duration_reached"],
  }),
  stuck("upstreamDurationMidway", clusterLongest, { by: "policy", stats: ["cluster.up.upstream_rq_max_duration_reached"] }),
];
