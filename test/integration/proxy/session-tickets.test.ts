// The proxy as bin/meshctl starts it: OpenSSL's own configuration is what keeps session tickets away.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { test, type TestContext } from "node:test";
import { connect, type TLSSocket } from "node:tls";
import { eventually } from "../../support/eventually.ts";
import { freePort } from "../../support/free-port.ts";
import { address, httpFilter, listener, staticResources, tlsSocket } from "../../support/proxy-plane.ts";
import { certificateSecret, commonTls, createIdentities, rootsSecret } from "../../support/test-identities.ts";

const MESHCTL = resolve(import.meta.dirname, "../../../bin/meshctl");

/** Starts a proxy that answers over TLS, and resolves to its port. */
async function startProxy(context: TestContext, tls: object, secrets: Parameters<typeof staticResources>[2]): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "meshctl-tickets-"));
  const port = await freePort();
  const file = join(folder, "bootstrap.json");
  const answers = httpFilter([{ match: { prefix: "/" }, direct_response: { status: 200, body: { inline_string: "hello" } } }]);
  const chains = [{ filters: [answers], ...tls }];
  writeFileSync(file, JSON.stringify(staticResources([listener(chains, { address: address(port) })], [], secrets)));
  const child = spawn(MESHCTL, ["proxy", "--bootstrap", file], { stdio: "ignore" });
  context.after(async () => {
    const ended = child.exitCode === null ? once(child, "exit") : undefined;
    child.kill("SIGKILL");
    await ended;
    rmSync(folder, { recursive: true });
  });
  return port;
}

test("a sidecar sends no session tickets, since it resumes no session", async (context) => {
  const identities = await createIdentities();
  const [own, friend] = await Promise.all([identities.issue("server"), identities.issue("friend")]);
  const port = await startProxy(context, tlsSocket("Downstream", { require_client_certificate: true, ...commonTls(["friend"]) }), [
    certificateSecret("own", own),
    rootsSecret("roots", identities.rootsPem),
  ]);
  let client: TLSSocket | undefined;
  let tickets = 0;
  await eventually(
    async () => {
      client = connect({ host: "127.0.0.1", port, ...friend, ca: identities.rootsPem, checkServerIdentity: () => undefined });
      client.on("session", () => (tickets += 1));
      await once(client, "secureConnect");
    },
    { withinMs: 15_000 },
  );
  context.after(() => client!.destroy());
  assert.equal(client!.getProtocol(), "TLSv1.3");
  client!.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  // Tickets would come before the answer.
  const [answer] = (await once(client!, "data")) as [Buffer];
  assert.match(answer.toString(), /^HTTP\/1\.1 200[^]*hello$/);
  assert.equal(tickets, 0);
});
