// The CA's Secret, against the API server double.
import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { afterEach, beforeEach, describe, test } from "node:test";
import { newAuthorityParts } from "../../../../src/ca/authority/authority-layout.ts";
import type { SigningAuthority } from "../../../../src/ca/authority/signing-authority.ts";
import { systemClock } from "../../../../src/common/clock.ts";
import type { Logger } from "../../../../src/common/log.ts";
import { UserError } from "../../../../src/common/user-error.ts";
import { loadOrCreateAuthoritySecret } from "../../../../src/control-plane/cluster/authority-secret.ts";
import { SourceStopped } from "../../../../src/control-plane/sources/source.ts";
import { KubeObjects } from "../../../../src/kube/objects.ts";
import { ApiFailure } from "../../../support/api-server/api-status.ts";
import { startConnectedApiServer } from "../../../support/api-server/connected.ts";
import type { ConnectedApiServer } from "../../../support/api-server/connected.ts";
import { eventually } from "../../../support/eventually.ts";
import { ManualClock } from "../../../support/manual-clock.ts";

const NAME = { apiVersion: "v1", kind: "Secret", namespace: "mesh-system", name: "meshctl-ca" };
let api: ConnectedApiServer;
let lines: string[];
const log = { info: (line: string) => lines.push(line), error: (line: string) => lines.push(line) } as unknown as Logger;

beforeEach(async () => {
  api = await startConnectedApiServer();
  lines = [];
});
afterEach(() => api.close());

function load(clock = new ManualClock(Date.now()), stopping = new AbortController().signal): Promise<SigningAuthority> {
  const objects = new KubeObjects({ connection: api.connect(), clock: systemClock, signal: stopping });
  return loadOrCreateAuthoritySecret({ objects, namespace: "mesh-system", trustDomain: "cluster.local", clock, log, stopping });
}
const encode = (parts: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(parts).map(([name, pem]) => [name, Buffer.from(pem).toString("base64")]));
const put = (data: Readonly<Record<string, string>>): unknown =>
  api.server.create({ apiVersion: "v1", kind: "Secret", metadata: { name: NAME.name, namespace: NAME.namespace }, data: encode(data) });

describe("the CA's Secret", () => {
  test("is made by whoever comes first, with our label and Istio's names", async () => {
    const authority = await load();
    const secret = await new KubeObjects({ connection: api.connection, clock: systemClock }).get(NAME);
    assert.equal(secret?.["type"], "Opaque");
    assert.deepEqual((secret?.metadata as { labels?: unknown }).labels, { "meshctl.io/installation": "mesh-system" });
    const data = secret?.["data"] as Record<string, string>;
    assert.deepEqual(Object.keys(data).sort(), ["ca-cert.pem", "ca-key.pem", "cert-chain.pem", "root-cert.pem"]);
    assert.equal(Buffer.from(data["root-cert.pem"]!, "base64").toString().trim(), authority.rootsPem.trim());
    assert.equal((await load()).rootPem, authority.rootPem);
    assert.equal(lines.length, 1);
  });

  test("is one for all that start at once", async () => {
    const roots = await Promise.all(Array.from({ length: 5 }, async () => (await load()).rootPem));
    assert.equal(new Set(roots).size, 1);
    assert.ok(api.server.requests.filter((each) => each.method === "POST").length > 1, "nobody was too late");
  });

  test("may be a person's own, under Istio's names or cert-manager's", async () => {
    const parts = await newAuthorityParts("corp", Date.now());
    for (const data of [parts, { "tls.crt": parts["ca-cert.pem"]!, "tls.key": parts["ca-key.pem"]!, "ca.crt": parts["root-cert.pem"]! }]) {
      put(data);
      assert.equal((await load()).rootPem.trim(), parts["root-cert.pem"]!.trim());
      api.server.delete({ apiVersion: "v1", kind: "Secret", metadata: { name: NAME.name, namespace: NAME.namespace } });
    }
  });

  test("that is empty, incomplete or not of one piece ends with what is wrong in it", async () => {
    const [one, other] = [await newAuthorityParts("a", Date.now()), await newAuthorityParts("b", Date.now())];
    const { "ca-key.pem": _key, ...withoutKey } = one;
    for (const [data, message] of [
      [{}, /^Secret mesh-system\/meshctl-ca holds neither ca-cert\.pem nor tls\.crt$/],
      [withoutKey, /^Secret mesh-system\/meshctl-ca lacks ca-key\.pem$/],
      [
        { ...one, "ca-key.pem": other["ca-key.pem"]! },
        /^ca-key\.pem of Secret mesh-system\/meshctl-ca is not the private key of ca-cert\.pem/,
      ],
      [{ ...one, "root-cert.pem": "x" }, /^root-cert\.pem of Secret mesh-system\/meshctl-ca holds no readable PEM certificate$/],
    ] as const) {
      put(data);
      await assert.rejects(load(), (error: unknown) => error instanceof UserError && message.test(error.message));
      api.server.delete({ apiVersion: "v1", kind: "Secret", metadata: { name: NAME.name, namespace: NAME.namespace } });
    }
  });

  test("is waited for while the API server is away or permissions are missing, with one line for each reason", async () => {
    const clock = new ManualClock(Date.now());
    const away = new ApiFailure(503, "ServiceUnavailable", "away");
    api.server.failNext(away, away, new ApiFailure(403, "Forbidden", "secrets is forbidden"));
    const loading = load(clock);
    await eventually(
      async () => {
        await clock.advance(1_000);
        assert.ok(lines.length >= 3);
      },
      { withinMs: 5_000 },
    );
    await loading;
    assert.match(lines[0]!, /^can't get the CA's key from Secret mesh-system\/meshctl-ca: away$/);
    assert.match(lines[1]!, /secrets is forbidden; allow the controller to get and create Secrets in mesh-system$/);
    assert.match(lines[2]!, /^made a new root/);
  });

  test("is waited for without a listener more for each try", async () => {
    const clock = new ManualClock(Date.now());
    const stopping = new AbortController();
    api.server.failNext(...Array.from({ length: 5 }, () => new ApiFailure(503, "ServiceUnavailable", "away")));
    const loading = load(clock, stopping.signal);
    await eventually(
      async () => {
        await clock.advance(10_000);
        assert.ok(lines.some((each) => each.startsWith("made a new root")));
      },
      { withinMs: 5_000 },
    );
    await loading;
    await eventually(() => assert.equal(getEventListeners(stopping.signal, "abort").length, 0), { withinMs: 1_000 });
  });

  test("is no longer waited for once the controller is to stop", async () => {
    const stopping = new AbortController();
    api.server.hold();
    const loading = load(new ManualClock(Date.now()), stopping.signal);
    await eventually(() => assert.ok(api.server.requests.length > 0), { withinMs: 3_000 });
    stopping.abort();
    await assert.rejects(loading, SourceStopped);
  });
});
