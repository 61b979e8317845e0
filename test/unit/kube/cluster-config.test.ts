// Which cluster and user a kubeconfig, an environment or a pod says.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { RequestOptions } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { systemClock } from "../../../src/common/clock.ts";
import { UserError } from "../../../src/common/user-error.ts";
import { loadInCluster, loadKubeconfig } from "../../../src/kube/cluster-config.ts";
import type { ClusterConnection } from "../../../src/kube/cluster-connection.ts";
import { isInCluster } from "../../../src/kube/service-account.ts";
import { checkReachable, getJson } from "../../../src/kube/get-json.ts";
import { ApiServer } from "../../support/api-server/api-server.ts";
import { freePort } from "../../support/free-port.ts";
import { ManualClock } from "../../support/manual-clock.ts";

const folder = mkdtempSync(join(tmpdir(), "meshctl-kubeconfig-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const write = (name: string, value: unknown): string => {
  const path = join(folder, name);
  writeFileSync(path, typeof value === "string" ? value : JSON.stringify(value));
  return path;
};
const config = (current: string | undefined, ...names: readonly string[]): unknown => ({
  apiVersion: "v1",
  kind: "Config",
  ...(current === undefined ? {} : { "current-context": current }),
  clusters: names.map((name) => ({ name, cluster: { server: `https://${name}.test:6443/` } })),
  users: names.map((name) => ({ name, user: { token: "t" } })),
  contexts: names.map((name) => ({ name, context: { cluster: name, user: name } })),
});
const load = (kubeconfig: string | undefined, context?: string, env = {}): ClusterConnection =>
  loadKubeconfig({ kubeconfig, context }, env);
const refusal = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof UserError, String(error));
    assert.ok(error.hint);
    return error.message.replaceAll(folder, "");
  }
  return assert.fail("nothing was refused");
};

describe("a kubeconfig", () => {
  test("says the cluster by its current context, or by the one that was asked for", () => {
    const path = write("two", config("a", "a", "b"));
    assert.equal(load(path).server, "https://a.test:6443");
    assert.equal(load(path, "b").server, "https://b.test:6443");
  });

  test("says the namespace of its context, else default, and the user to act as", async () => {
    const path = write("namespaced", {
      ...(config("a", "a", "b") as object),
      contexts: [
        { name: "a", context: { cluster: "a", user: "a", namespace: "shop" } },
        { name: "b", context: { cluster: "b", user: "b" } },
      ],
    });
    assert.deepEqual([load(path).namespace, load(path, "b").namespace], ["shop", "default"]);
    const connection = loadKubeconfig({ kubeconfig: path, context: undefined, as: "jane" }, {});
    const options: RequestOptions = {};
    await connection.applyToHTTPSOptions(options);
    assert.deepEqual(options.headers, { Authorization: "Bearer t", "Impersonate-User": "jane" });
  });

  test("is found in $KUBECONFIG, of whose files the first has the word, else in the home folder", () => {
    const first = write("first", config("b", "b"));
    const second = write("second", config("a", "a"));
    const env = { KUBECONFIG: `${join(folder, "missing")}:${first}:${second}`, HOME: join(folder, "home") };
    assert.equal(load(undefined, undefined, env).server, "https://b.test:6443");
    assert.equal(load(undefined, "a", env).server, "https://a.test:6443");
    mkdirSync(join(folder, "home/.kube"), { recursive: true });
    write("home/.kube/config", config("home", "home"));
    assert.equal(load(undefined, undefined, { HOME: join(folder, "home") }).server, "https://home.test:6443");
  });

  for (const [what, run, message] of [
    ["that isn't there", () => load(join(folder, "none")), "can't read the kubeconfig /none: no such file"],
    ["that nobody named", () => load(undefined, undefined, { HOME: "/nowhere" }), "no kubeconfig: /nowhere/.kube/config is not there"],
    ["that is not YAML", () => load(write("bad", "a: [\n")), /^\/bad:2:1: not YAML: /],
    ["that is something else", () => load(write("pod", "kind: Pod\n")), "/pod is not a kubeconfig"],
    ["that is empty", () => load(write("empty", "")), "/empty is not a kubeconfig"],
    ["without current context", () => load(write("no-current", config(undefined, "a"))), "/no-current has no current context"],
    ["without the context asked for", () => load(write("one", config("a", "a")), "b"), 'no context "b" in /one'],
    [
      "whose context names no cluster of it",
      () => load(write("dangling", { ...(config("a", "a") as object), clusters: [] })),
      'context "a" names cluster "a", which /dangling lacks',
    ],
    [
      "whose cluster has no server",
      () => load(write("no-server", { ...(config("a", "a") as object), clusters: [{ name: "a", cluster: {} }] })),
      "/no-server is not a kubeconfig: clusters[0].cluster.server is missing",
    ],
  ] as const) {
    test(`${what} is refused with its remedy`, () => {
      const said = refusal(run);
      if (typeof message === "string") assert.equal(said, message);
      else assert.match(said, message);
    });
  }
});

describe("a connection", () => {
  const server = new ApiServer();
  let connection: ClusterConnection | undefined;
  before(() => server.start());
  after(() => server.stop());
  afterEach(() => {
    connection?.close();
    server.tokens = undefined;
  });
  const options = { clock: systemClock, timeoutMs: 5000 };
  const seen = (): string | undefined => server.requests.at(-1)?.authorization;

  test("trusts the kubeconfig's authority and shows its token, over connections that are kept", async () => {
    let sockets = 0;
    server.onConnection = () => sockets++;
    connection = load(write("double", server.kubeconfig({ token: "abc" })));
    await checkReachable(connection, systemClock, 5000);
    for (let request = 0; request < 10; request++) await getJson(connection, "/api/v1/pods", {}, options);
    assert.equal(seen(), "Bearer abc");
    // Two: an answer may have been read before its connection is known to be free.
    assert.ok(sockets <= 2, `${sockets} connections`);
  });

  test("of a pod reads its token again whenever the kubelet has replaced it", async () => {
    const account = join(folder, "account");
    assert.equal(isInCluster(account), false);
    mkdirSync(account);
    write("account/ca.crt", server.certificate);
    write("account/token", "one\n");
    assert.equal(isInCluster(account), true);
    assert.match(
      refusal(() => loadInCluster({}, account)),
      /KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set/,
    );
    const { hostname, port } = new URL(server.url);
    connection = loadInCluster({ KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port }, account);
    server.tokens = new Set(["one"]);
    await getJson(connection, "/version", {}, options);
    server.tokens = new Set(["two"]);
    await assert.rejects(getJson(connection, "/version", {}, options), { code: 401, reason: "Unauthorized" });
    write("account/token", "two\n");
    await getJson(connection, "/version", {}, options);
    assert.equal(seen(), "Bearer two");
  });

  test("takes kubectl's tokenFile before a token beside it, relative to the kubeconfig", async () => {
    write("my-token", "from-file");
    const value = JSON.parse(server.kubeconfig()) as { users: unknown[] };
    value.users = [{ name: "tester", user: { token: "old", tokenFile: "my-token" } }];
    connection = load(write("token-file", value));
    await getJson(connection, "/version", {}, options);
    assert.equal(seen(), "Bearer from-file");
  });

  for (const [what, prepare, message] of [
    ["a server that is not there", async () => ({ server: `https://127.0.0.1:${await freePort()}` }), /: nothing listens there$/],
    [
      "a server whose certificate another authority signed",
      async () => ({ "certificate-authority-data": undefined }),
      /: its certificate is not signed by the authority that the configuration names$/,
    ],
    [
      "credentials that are not accepted",
      async () => {
        server.tokens = new Set();
        return {};
      },
      /^the API server at \S+ doesn't accept these credentials$/,
    ],
  ] as const) {
    test(`tells a person about ${what}`, async () => {
      const value = JSON.parse(server.kubeconfig()) as { clusters: { cluster: object }[] };
      value.clusters[0]!.cluster = { ...value.clusters[0]!.cluster, ...(await prepare()) };
      connection = load(write("trouble", value));
      await assert.rejects(checkReachable(connection, systemClock, 5000), (error: UserError) => {
        assert.ok(error instanceof UserError && error.hint !== undefined);
        assert.match(error.message, message);
        return true;
      });
    });
  }

  test("tells a person about a server that never answers", async () => {
    const clock = new ManualClock();
    connection = load(write("slow", server.kubeconfig()));
    server.hold();
    const checked = assert.rejects(checkReachable(connection, clock, 10_000), { message: /: no answer within 10 s$/ });
    await clock.advance(10_000);
    await checked;
    server.release();
  });
});
