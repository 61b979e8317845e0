// TokenReview as the controller asks for it, against the API server double.
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import type { Authenticator } from "../../../../src/ca/authority/authenticator.ts";
import { createTokenReviewer } from "../../../../src/control-plane/cluster/token-reviewer.ts";
import { KubeObjects } from "../../../../src/kube/objects.ts";
import { startConnectedApiServer } from "../../../support/api-server/connected.ts";
import type { ConnectedApiServer } from "../../../support/api-server/connected.ts";
import { ApiFailure } from "../../../support/api-server/api-status.ts";
import { ManualClock } from "../../../support/manual-clock.ts";

const POD = { "authentication.kubernetes.io/pod-name": ["web-1"], "authentication.kubernetes.io/pod-uid": ["u1"] };
const GOOD = {
  authenticated: true,
  audiences: ["meshctl-ca"],
  user: { username: "system:serviceaccount:shop:web", extra: POD },
};
const IDENTITY = { namespace: "shop", serviceAccount: "web", pod: { name: "web-1", uid: "u1" } };

let api: ConnectedApiServer;
let clock: ManualClock;
let authenticate: Authenticator;
let told: string[];
/** What the double answers; what it was asked. */
let status: Record<string, unknown>;
let asked: Record<string, unknown>[];

beforeEach(async () => {
  api = await startConnectedApiServer();
  clock = new ManualClock();
  told = [];
  asked = [];
  status = GOOD;
  api.server.reviews.set("TokenReview", (spec) => {
    asked.push(spec);
    return status;
  });
  authenticate = createTokenReviewer({
    objects: new KubeObjects({ connection: api.connection, clock, timeoutMs: 5_000 }),
    clock,
    onReview: (result) => told.push(result),
    onTrouble: (error) => told.push(error.message),
  });
});
afterEach(() => api.close());

describe("the token reviewer", () => {
  test("asks for our audience, and reads service account and pod", async () => {
    assert.deepEqual(await authenticate("t"), { ok: true, identity: IDENTITY });
    assert.deepEqual(asked, [{ token: "t", audiences: ["meshctl-ca"] }]);
    assert.deepEqual(told, ["accepted"]);
  });

  for (const [what, answer, reason] of [
    ["isn't authenticated", { authenticated: false, error: "token expired" }, "token refused: token expired"],
    ["is for another audience", { ...GOOD, audiences: ["https://kubernetes.default.svc"] }, "it is not for the audience meshctl-ca"],
    ["comes back without audiences", { ...GOOD, audiences: undefined }, "it is not for the audience meshctl-ca"],
    ["is of a person", { ...GOOD, user: { username: "jane", extra: POD } }, "it is of no service account"],
    ["is bound to no pod", { ...GOOD, user: { username: GOOD.user.username } }, "it is bound to no pod"],
  ] as const) {
    test(`refuses a token that ${what}`, async () => {
      status = answer;
      const answered = await authenticate("t");
      assert.equal(answered.ok, false);
      assert.ok(!answered.ok && answered.reason.includes(reason), JSON.stringify(answered));
      assert.deepEqual(told, ["refused"]);
    });
  }

  test("believes an answer for half a minute, and a refusal for two seconds", async () => {
    await Promise.all([authenticate("t"), authenticate("t")]);
    await clock.advance(29_999);
    await authenticate("t");
    assert.equal(asked.length, 1);
    await clock.advance(1);
    status = { authenticated: false };
    assert.equal((await authenticate("t")).ok, false);
    await clock.advance(1_999);
    assert.equal((await authenticate("t")).ok, false);
    assert.equal(asked.length, 2);
    await clock.advance(1);
    status = GOOD;
    assert.equal((await authenticate("t")).ok, true);
  });

  test("rejects, and keeps nothing, when the API server can't be asked", async () => {
    await authenticate("other");
    const failure = new ApiFailure(500, "InternalError", "etcd is away");
    api.server.failNext(failure, failure);
    for (let tries = 0; tries < 2; tries++) await assert.rejects(authenticate("t"), /the API server can't be asked: etcd is away/);
    assert.equal((await authenticate("t")).ok, true);
    assert.deepEqual(told, ["accepted", "etcd is away", "failed", "failed", "accepted"]);
  });

  test("rejects when the API server doesn't answer in time", async () => {
    await authenticate("other");
    api.server.hold();
    const asking = assert.rejects(authenticate("t"), /no answer within 5 s/);
    await clock.advance(5_000);
    await asking;
    api.server.release();
  });

  test("asks about fifty tokens at a time, however many come, and about all of them", async () => {
    await authenticate("first");
    let open = 0;
    let most = 0;
    api.server.onRequest = ({ path }) => {
      if (path.endsWith("tokenreviews")) most = Math.max(most, ++open);
    };
    api.server.reviews.set("TokenReview", () => {
      open--;
      return GOOD;
    });
    const answers = await Promise.all(Array.from({ length: 200 }, (_, index) => authenticate(`t${index}`)));
    assert.ok(answers.every((each) => each.ok));
    assert.ok(most <= 50, `${most} at a time`);
  });

  test("lets five thousand more wait, and turns away who comes then", async () => {
    await authenticate("first");
    api.server.hold();
    const waiting = Promise.allSettled(Array.from({ length: 5_050 }, (_, index) => authenticate(`t${index}`)));
    await assert.rejects(authenticate("one more"), /too many tokens wait/);
    api.connection.close();
    assert.ok((await waiting).every((each) => each.status === "rejected"));
  });

  test("refuses what is far too long without asking", async () => {
    assert.equal((await authenticate("x".repeat(17_000))).ok, false);
    assert.equal(asked.length, 0);
  });
});
