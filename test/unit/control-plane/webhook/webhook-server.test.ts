// The webhooks' port: its certificate follows renewals, and nobody can hold it up.
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { createConnection } from "node:net";
import { connect } from "node:tls";
import { afterEach, describe, test } from "node:test";
import type { ServerCertificate, ServingPair } from "../../../../src/ca/authority/server-certificate.ts";
import { serveWebhooks } from "../../../../src/control-plane/webhook/webhook-server.ts";
import type { WebhookServerOptions } from "../../../../src/control-plane/webhook/webhook-server.ts";
import { eventually } from "../../../support/eventually.ts";
import { selfSigned } from "../../../support/openssl.ts";
import { reviewOf } from "../../../support/webhook/reviews.ts";

const [FIRST, SECOND] = [selfSigned("DNS:first.test"), selfSigned("DNS:second.test")] as const;
const pairOf = ({ certificate, key }: typeof FIRST): ServingPair => ({ chainPem: certificate, keyPem: key });

class Renewable implements ServerCertificate {
  current = pairOf(FIRST);
  readonly #subscribers = new Set<(pair: ServingPair) => void>();

  subscribe(onPair: (pair: ServingPair) => void): () => void {
    this.#subscribers.add(onPair);
    onPair(this.current);
    return () => this.#subscribers.delete(onPair);
  }

  renew(pair: ServingPair): void {
    for (const each of this.#subscribers) each(pair);
  }

  get subscribers(): number {
    return this.#subscribers.size;
  }

  stop(): void {}
}

describe("the webhooks' port", () => {
  const certificate = new Renewable();
  const failures: string[] = [];
  let server: Awaited<ReturnType<typeof serveWebhooks>>;
  const start = async (review: WebhookServerOptions["reviewers"][string]): Promise<void> => {
    server = await serveWebhooks({
      address: { host: "127.0.0.1", port: 0 },
      certificate,
      reviewers: { "/inject": review },
      onBadRequest: () => undefined,
      onFailure: (path, error) => failures.push(`${path} ${error.message}`),
    });
  };
  afterEach(() => server.stop());

  /** Sends a review over a connection, and gives the head and body that come back. */
  async function ask(socket: ReturnType<typeof connect>): Promise<string> {
    const body = JSON.stringify(reviewOf({}));
    socket.write(`POST /inject HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`);
    const [chunk] = (await once(socket, "data")) as [Buffer];
    return chunk.toString();
  }

  const open = async (): Promise<ReturnType<typeof connect>> => {
    const socket = connect({ host: "127.0.0.1", port: server.port, rejectUnauthorized: false });
    await once(socket, "secureConnect");
    return socket;
  };

  test("shows a renewed certificate to new connections, and goes on with old ones", async () => {
    await start(() => ({ allowed: true }));
    const nameOf = (socket: ReturnType<typeof connect>): string | undefined =>
      new X509Certificate(socket.getPeerCertificate().raw).subjectAltName;
    const old = await open();
    assert.equal(nameOf(old), "DNS:first.test");
    certificate.renew(pairOf(SECOND));
    const fresh = await open();
    assert.equal(nameOf(fresh), "DNS:second.test");
    for (const each of [old, fresh]) {
      assert.match(await ask(each), /^HTTP\/1\.1 200 OK\r\n[^]*"allowed":true/);
      each.destroy();
    }
  });

  test("answers 500 when a review fails, without a word of where", async () => {
    await start(() => Promise.reject(new Error("no namespace")));
    const socket = connect({ host: "127.0.0.1", port: server.port, rejectUnauthorized: false });
    await once(socket, "secureConnect");
    assert.match(await ask(socket), /^HTTP\/1\.1 500 [^]*\r\n\r\nthe review failed: no namespace\n$/);
    assert.deepEqual(failures, ["/inject no namespace"]);
    socket.destroy();
  });

  test("answers whoever asks for what is no path at all, and goes on", async () => {
    await start(() => ({ allowed: true }));
    for (const target of ["//", "http://[", "/inject/..//%", "*"]) {
      const socket = await open();
      socket.write(`POST ${target} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n`);
      const [answer] = (await once(socket, "data")) as [Buffer];
      assert.match(answer.toString(), /^HTTP\/1\.1 40[04] /, target);
      socket.destroy();
    }
    const socket = await open();
    assert.match(await ask(socket), /^HTTP\/1\.1 200 OK/);
    socket.destroy();
  });

  test("sends away whoever takes too long over a head", { timeout: 20_000 }, async () => {
    await start(() => ({ allowed: true }));
    const socket = await open();
    const startedMs = performance.now();
    socket.write("POST /inject HTTP/1.1\r\nhost: x\r\n");
    assert.match(String((await once(socket, "data"))[0]), /^HTTP\/1\.1 408 /);
    // Five seconds, and what Node needs to notice.
    assert.ok(performance.now() - startedMs < 9_000);
    socket.destroy();
  });

  test("takes only so many bytes of all bodies together, and gives them back", async () => {
    await start(() => ({ allowed: true }));
    const bytes = 8 * 2 ** 20;
    const holders: ReturnType<typeof connect>[] = [];
    let answer = "";
    // The last byte of each is kept back.
    while (answer === "" && holders.length < 8) {
      const socket = await open();
      holders.push(socket);
      socket.on("error", () => undefined).on("data", (chunk: Buffer) => (answer += chunk.toString()));
      socket.write(`POST /inject HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${bytes}\r\n\r\n`);
      await Promise.race([new Promise((resolve) => socket.write(Buffer.alloc(bytes - 1, " "), resolve)), once(socket, "data")]);
    }
    await eventually(() => assert.match(answer, /^HTTP\/1\.1 503 [^]*too many reviews at once/), { withinMs: 5_000 });
    for (const each of holders) each.destroy();
    await eventually(
      async () => {
        const socket = await open();
        const said = await ask(socket).finally(() => socket.destroy());
        assert.match(said, /^HTTP\/1\.1 200 OK/);
      },
      { withinMs: 5_000 },
    );
  });

  test("stops within moments though somebody connects and says nothing", async () => {
    await start(() => ({ allowed: true }));
    const silent = createConnection({ host: "127.0.0.1", port: server.port });
    await once(silent, "connect");
    const before = certificate.subscribers;
    const ended = once(silent, "close");
    const startedMs = performance.now();
    await server.stop();
    await ended;
    // Not only when the TLS handshake is overdue.
    assert.ok(performance.now() - startedMs < 4_000);
    assert.equal(certificate.subscribers, before - 1);
  });
});
