// What the load generators print, as they print it: numbers where all went well, a refusal to measure where not.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseH2load, parseLog } from "../../../bench/load/h2load.ts";
import { parseTime } from "../../../bench/load/s-time.ts";
import { parseWrk } from "../../../bench/load/wrk.ts";

const wrkOutput = (extra = "", p50 = "417.00us", p99 = "1.07s "): string => `Running 2s test @ http://127.0.0.1:1234/api
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   501.62us  398.57us   9.11ms   93.77%
  Latency Distribution
     50%  ${p50}
     75%  512.00us
     90%  799.00us
     99%    ${p99}
  104321 requests in 2.10s, 46.25MB read
${extra}Requests/sec:  49688.14
Transfer/sec:     22.03MB
`;

describe("wrk's output", () => {
  test("gives requests, rate and percentiles in milliseconds", () => {
    const latency = { p50Ms: 0.417, p90Ms: 0.799, p99Ms: 1070 };
    assert.deepEqual(parseWrk(wrkOutput()), { amount: 104321, perSecond: 49688.14, latency });
    assert.equal(parseWrk(wrkOutput("", "2.50ms")).latency?.p50Ms, 2.5);
  });

  test("with failed answers or broken sockets is no measurement", () => {
    assert.throws(() => parseWrk(wrkOutput("  Non-2xx or 3xx responses: 12\n")), /a run had failures: Non-2xx or 3xx responses: 12/);
    assert.throws(
      () => parseWrk(wrkOutput("  Socket errors: connect 0, read 3, write 0, timeout 1\n")),
      /Socket errors: connect 0, read 3/,
    );
  });

  test("without a single request is no measurement", () => {
    assert.throws(() => parseWrk(wrkOutput().replace("104321 requests", "0 requests")), /completed no request/);
  });

  test("of another shape is refused rather than read as zero", () => {
    assert.throws(() => parseWrk("unable to connect"), /output is not as expected/);
  });
});

const h2loadOutput = (counts = "0 failed, 0 errored, 0 timeout", codes = "0 3xx, 0 4xx, 0 5xx"): string => `starting benchmark...
spawning thread #0: 4 total client(s). Timing-based test with 0s of warm-up time and 1s of main duration for measurements.

finished in 1.00s, 81509.00 req/s, 13.91MB/s
requests: 81509 total, 81573 started, 81509 done, 81509 succeeded, ${counts}
status codes: 81573 2xx, ${codes}
traffic: 13.91MB (14587215) total
`;

describe("h2load's output", () => {
  test("gives requests and rate", () => {
    assert.deepEqual(parseH2load(h2loadOutput()), { amount: 81509, perSecond: 81509 });
  });

  test("with a failed request or a bad status is no measurement", () => {
    assert.throws(() => parseH2load(h2loadOutput("3 failed, 3 errored, 0 timeout")), /a run had failures: 3 failed, 3 errored/);
    assert.throws(() => parseH2load(h2loadOutput(undefined, "0 3xx, 0 4xx, 7 5xx")), /7 5xx/);
  });

  test("of single requests gives percentiles in milliseconds", () => {
    const lines = Array.from({ length: 100 }, (_, index) => `1700000000000000\t200\t${(100 - index) * 10}\n`);
    assert.deepEqual(parseLog(lines.join("")), { p50Ms: 0.51, p90Ms: 0.91, p99Ms: 1 });
    assert.throws(() => parseLog(""), /log is not as expected/);
    assert.throws(() => parseLog("1 200 5\n"), /log is not as expected/);
  });
});

describe("s_time's output", () => {
  const output = (connections: number, bytes: number): string =>
    `Collecting connection statistics for 1 seconds\nttt\n\n${connections} connections in 0.31s; 900.00 connections/user sec, bytes read 1\n` +
    `${connections} connections in 2 real seconds, ${bytes} bytes read per connection\n`;

  test("gives the number of connections", () => {
    assert.equal(parseTime(output(279, 412)), 279);
  });

  test("with answers that are shorter than the body is no measurement", () => {
    assert.throws(() => parseTime(output(279, 80)), /80 bytes an answer/);
    assert.throws(() => parseTime(output(0, 0)), /completed no request/);
  });
});
