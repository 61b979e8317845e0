// gRPC calls that are tried again: by the status words of retry_on, and when a server leaves.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { eventually } from "../../support/eventually.ts";
import { outcomeOf, startEchoServer, type EchoClient, type EchoHandlers } from "../../support/grpc-peers.ts";
import { clientOf, closing, startHop } from "../../support/grpc-planes.ts";
import type { Json } from "../../support/proxy-plane.ts";

describe("a gRPC call that is tried again", () => {
  const previous = { "@type": "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate" };
  const retrying = (words: string, retries = 3): Json => ({
    retry_policy: {
      retry_on: words,
      num_retries: retries,
      retry_back_off: { base_interval: "0.005s" },
      retry_host_predicate: [{ name: "previous", typed_config: previous }],
      host_selection_retry_max_attempts: 5,
    },
  });
  /** Fails with a status until the call of this number. */
  const failing = (status: number, succeedsAt: number): EchoHandlers => {
    let calls = 0;
    return {
      unary(call, done) {
        calls += 1;
        if (calls < succeedsAt) done({ code: status, details: `call ${calls}` });
        else done(null, call.request);
      },
    };
  };

  test("succeeds where the route names its status", async (context) => {
    const words = { 1: "cancelled", 4: "deadline-exceeded", 8: "resource-exhausted", 13: "internal", 14: "unavailable" };
    for (const [status, word] of Object.entries(words)) {
      const server = closing(context, await startEchoServer(failing(Number(status), 3)));
      const path = closing(context, await startHop([server.port], { action: retrying(word) }));
      const { code, details } = await clientOf(context, path).unary("x");
      assert.deepEqual([code, server.calls], [0, 3], `${word}: ${details}`);
      assert.deepEqual(
        [path.client.stat("cluster.up.upstream_rq_retry"), path.client.stat("cluster.up.upstream_rq_retry_success")],
        [2, 1],
      );
    }
  });

  test("is not for other statuses, nor for one that comes after messages", async (context) => {
    const server = closing(context, await startEchoServer(failing(5, 2)));
    const path = closing(context, await startHop([server.port], { action: retrying("unavailable,internal") }));
    assert.deepEqual([(await clientOf(context, path).unary("x")).code, server.calls], [5, 1]);
    const late: EchoHandlers = {
      download(call) {
        call.write(Buffer.from("first"));
        call.emit("error", { code: 14, details: "later" });
      },
    };
    const other = closing(context, await startEchoServer(late));
    const otherPath = closing(context, await startHop([other.port], { action: retrying("unavailable") }));
    const outcome = await outcomeOf(clientOf(context, otherPath).download("x"));
    assert.deepEqual([outcome.code, outcome.messages.length, other.calls], [14, 1, 1]);
  });

  test("fails with the last status when its tries are used up", async (context) => {
    const server = closing(context, await startEchoServer(failing(14, 100)));
    const path = closing(context, await startHop([server.port], { action: retrying("unavailable", 2) }));
    const { code, details } = await clientOf(context, path).unary("x");
    assert.deepEqual([code, details, server.calls], [14, "call 3", 3]);
  });

  /** Calls without a pause until told to stop; what they ended with. */
  async function keepCalling(client: EchoClient, isOver: () => boolean): Promise<string[]> {
    const outcomes = new Set<string>();
    const worker = async (): Promise<void> => {
      while (!isOver()) {
        const { code, details } = await client.unary("x");
        outcomes.add(`${code} ${details}`);
      }
    };
    await Promise.all([worker(), worker(), worker(), worker()]);
    return [...outcomes];
  }

  test("never fails while a server says goodbye and another takes its place", async (context) => {
    const [leaving, staying] = [closing(context, await startEchoServer()), closing(context, await startEchoServer())];
    const action = retrying("connect-failure,refused-stream,unavailable");
    // All callers may meet the dead host at once.
    const cluster = { circuit_breakers: { thresholds: [{ max_retries: 100 }] } };
    const path = closing(context, await startHop([leaving.port, staying.port], { action, cluster }));
    const client = clientOf(context, path);
    let isOver = false;
    const calling = keepCalling(client, () => isOver);
    await eventually(() => assert.ok(leaving.calls > 50 && staying.calls > 50), { withinMs: 5000 });
    // GOAWAY, then the end of its connections once their calls are over.
    await new Promise<void>((resolve) => leaving.server.tryShutdown(() => resolve()));
    const before = staying.calls;
    await eventually(() => assert.ok(staying.calls > before + 100), { withinMs: 5000 });
    const back = closing(context, await startEchoServer({}, leaving.port));
    await eventually(() => assert.ok(back.calls > 50), { withinMs: 5000 });
    isOver = true;
    assert.deepEqual(await calling, ["0 OK"]);
  });

  test("fails only where the answer had begun, while its only server dies and comes back", async (context) => {
    const first = await startEchoServer({ unary: (call, done) => void setTimeout(done, 2, null, call.request) });
    const action = retrying("connect-failure,refused-stream,reset,unavailable", 20);
    const cluster = { circuit_breakers: { thresholds: [{ max_retries: 100 }] } };
    const path = closing(context, await startHop([first.port], { action, cluster }));
    const client = clientOf(context, path);
    let isOver = false;
    const calling = keepCalling(client, () => isOver);
    await eventually(() => assert.ok(first.calls > 20), { withinMs: 5000 });
    first.stop();
    // Not before a call has met nobody.
    await eventually(() => assert.ok(path.client.stat("cluster.up.upstream_rq_retry") > 0), { withinMs: 5000 });
    const second = closing(context, await startEchoServer({}, first.port));
    await eventually(() => assert.ok(second.calls > 50), { withinMs: 5000 });
    isOver = true;
    // What the server had begun to answer when it died can't be tried again.
    const unanswered = (await calling).filter((each) => !each.startsWith("14 upstream_reset_after_response_started"));
    assert.deepEqual(unanswered, ["0 OK"]);
    assert.ok(path.client.stat("cluster.up.upstream_rq_retry_success") > 0);
  });
});
