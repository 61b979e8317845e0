import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseWrk } from "../../../bench/wrk.ts";

const output = (extra = "", p50 = "417.00us", p99 = "1.07s "): string => `Running 2s test @ http://127.0.0.1:1234/api
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
    assert.deepEqual(parseWrk(output()), { requests: 104321, rps: 49688.14, p50Ms: 0.417, p99Ms: 1070 });
    assert.equal(parseWrk(output("", "2.50ms")).p50Ms, 2.5);
  });

  test("with failed answers or broken sockets is no measurement", () => {
    assert.throws(() => parseWrk(output("  Non-2xx or 3xx responses: 12\n")), /a run had failures: Non-2xx or 3xx responses: 12/);
    assert.throws(() => parseWrk(output("  Socket errors: connect 0, read 3, write 0, timeout 1\n")), /Socket errors: connect 0, read 3/);
  });

  test("without a single request is no measurement", () => {
    assert.throws(() => parseWrk(output().replace("104321 requests", "0 requests")), /completed no request/);
  });

  test("of another shape is refused rather than read as zero", () => {
    assert.throws(() => parseWrk("unable to connect"), /output is not as expected/);
  });
});
