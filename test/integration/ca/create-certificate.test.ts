// The CSR call end to end over TLS: the sidecar's client and channel against the CA's service on a grpc-js server.
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttp2Server } from "node:http2";
import type { ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { connect as connectTls, createServer as createTlsServer } from "node:tls";
import { create, toBinary } from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";
import type { Authenticator } from "../../../src/ca/authority/authenticator.ts";
import { createCallerAuthenticator } from "../../../src/ca/authority/caller-authenticator.ts";
import { createCertificateService } from "../../../src/ca/authority/create-certificate-service.ts";
import type { CertificateOutcome } from "../../../src/ca/authority/create-certificate-service.ts";
import { createJwksAuthenticator } from "../../../src/ca/authority/jwks-authenticator.ts";
import { createServerCertificate, toGrpcServerCredentials } from "../../../src/ca/authority/server-certificate.ts";
import { createCertificateClient } from "../../../src/ca/client/create-certificate-client.ts";
import { createKeyAndRequest } from "../../../src/ca/client/csr.ts";
import { createTokenSigner, LOCAL_TOKEN_ISSUER } from "../../../src/ca/client/service-account-token.ts";
import { toIssuedChain } from "../../../src/ca/client/trust-bundle.ts";
import { systemClock } from "../../../src/common/clock.ts";
import { WorkloadIdentity } from "../../../src/proxy-runtime/identity/workload-identity.ts";
import { IstioCertificateRequestSchema } from "../../../src/xds/gen/istio/ca_pb.ts";
import { connectGrpc } from "../../../src/xds/grpc-channel.ts";
import { GrpcCode, GrpcError } from "../../../src/xds/grpc-status.ts";
import { CREATE_CERTIFICATE_METHOD } from "../../../src/xds/names.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { selfSigned } from "../../support/openssl.ts";
import { createTestAuthority } from "../../support/test-authority.ts";

const uri = "spiffe://cluster.local/ns/shop/sa/frontend";
const subject = { namespace: "shop", serviceAccount: "frontend", pod: { name: "frontend-1", uid: "1" } };

async function startCa(t: TestContext, overrides: { authenticate?: Authenticator; workloadTtlS?: number } = {}) {
  const folder = mkdtempSync(join(tmpdir(), "meshctl-test-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const signer = await createTokenSigner();
  writeFileSync(join(folder, "keys.json"), JSON.stringify(signer.jwks));
  const tokenFile = join(folder, "token");
  writeFileSync(tokenFile, `${await signer.sign(subject, { ttlS: 600 })}\n`);

  const clock = new ManualClock(Date.now());
  const ca = await createTestAuthority(systemClock);
  const certificate = await createServerCertificate({
    issuer: ca.issuer,
    dnsNames: ["controller.test"],
    ips: ["127.0.0.1"],
    clock,
    ttlS: 3600,
    onFailure: (error) => assert.fail(error),
  });
  t.after(() => certificate.stop());
  const outcomes: CertificateOutcome[] = [];
  const byKeys = createJwksAuthenticator({ file: join(folder, "keys.json"), issuer: LOCAL_TOKEN_ISSUER });
  const authenticate = createCallerAuthenticator(overrides.authenticate ?? byKeys, "cluster.local");
  const options = {
    issuer: ca.issuer,
    authenticate,
    trustDomain: "cluster.local",
    workloadTtlS: overrides.workloadTtlS,
    onOutcome: (each: CertificateOutcome) => outcomes.push(each),
  };
  const service = createCertificateService(options);
  const server = new grpc.Server();
  server.addService(service.definition, service.implementation);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", toGrpcServerCredentials(certificate, ca.rootsPem), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  t.after(() => server.forceShutdown());
  const channel = connectGrpc({ address: { host: "127.0.0.1", port }, tls: { roots: ca.rootsPem, servername: "controller.test" } });
  t.after(() => channel.close());
  return { ca, clock, signer, tokenFile, channel, port, outcomes, certificate };
}

function failsWith(code: number, message: RegExp) {
  return (error: unknown): boolean => {
    assert.ok(error instanceof GrpcError, String(error));
    assert.match(error.message, message);
    assert.equal(error.code, code);
    return true;
  };
}

test("gives the caller of the token a certificate, whatever name its request has", async (t) => {
  const { channel, tokenFile, outcomes } = await startCa(t);
  const request = createCertificateClient({ channel, tokenFile });
  const { csrPem, keyPem } = createKeyAndRequest("spiffe://cluster.local/ns/kube-system/sa/admin");
  const issued = toIssuedChain(await request(csrPem, 3600));
  assert.equal(issued.leaf.subjectAltName, `URI:${uri}`);
  assert.ok(Math.abs(issued.leaf.validToDate.getTime() - Date.now() - 3_600_000) < 5000);
  assert.deepEqual(
    outcomes.map(({ code, identity }) => ({ code, identity })),
    [{ code: 0, identity: uri }],
  );
  assert.match(keyPem, /PRIVATE KEY/);
});

test("shortens longer wishes to the longest life it was told, and grants shorter ones", async (t) => {
  const { channel, tokenFile } = await startCa(t, { workloadTtlS: 60 });
  const request = createCertificateClient({ channel, tokenFile });
  for (const [wishedS, grantedS] of [
    [86_400, 60],
    [0, 60],
    [20, 20],
  ] as const) {
    const { leaf } = toIssuedChain(await request(createKeyAndRequest(uri).csrPem, wishedS));
    const lifeS = (leaf.validToDate.getTime() - Date.now()) / 1000;
    assert.ok(lifeS > grantedS - 5 && lifeS <= grantedS, `${lifeS} s for ${wishedS} s`);
  }
});

test("gives certificates with which two workloads speak mutual TLS and know each other", async (t) => {
  const { channel, signer, tokenFile, ca } = await startCa(t);
  const request = createCertificateClient({ channel, tokenFile });
  const obtain = async (serviceAccount: string) => {
    writeFileSync(tokenFile, await signer.sign({ namespace: "shop", serviceAccount }, { ttlS: 60 })); // read anew for each call
    const { keyPem, csrPem } = createKeyAndRequest("spiffe://x/ns/x/sa/x");
    return { key: keyPem, cert: toIssuedChain(await request(csrPem, 0)).chainPem, ca: ca.rootsPem };
  };
  const server = createTlsServer({ ...(await obtain("backend")), requestCert: true, rejectUnauthorized: true, minVersion: "TLSv1.3" });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const accepted = once(server, "secureConnection");
  const client = connectTls({
    port: (server.address() as AddressInfo).port,
    ...(await obtain("frontend")),
    checkServerIdentity: () => undefined,
  });
  t.after(() => client.destroy());
  await once(client, "secureConnect");
  assert.equal(client.getPeerX509Certificate()?.subjectAltName, "URI:spiffe://cluster.local/ns/shop/sa/backend");
  const [peer] = (await accepted) as [typeof client];
  assert.equal(peer.getPeerX509Certificate()?.subjectAltName, `URI:${uri}`);
});

test("refuses callers without a token, and with one that is expired, for others or by a foreign key", async (t) => {
  const { channel, signer, tokenFile, outcomes } = await startCa(t);
  const { csrPem } = createKeyAndRequest(uri);
  await assert.rejects(
    createCertificateClient({ channel, tokenFile: undefined })(csrPem, 0),
    failsWith(GrpcCode.unauthenticated, /no bearer token/),
  );
  const request = createCertificateClient({ channel, tokenFile });
  for (const token of [
    await signer.sign(subject, { ttlS: 60, nowMs: Date.now() - 600_000 }),
    await signer.sign(subject, { ttlS: 60, audience: "somebody-else" }),
    await (await createTokenSigner()).sign(subject, { ttlS: 60 }),
    "x",
  ]) {
    writeFileSync(tokenFile, token);
    await assert.rejects(request(csrPem, 0), failsWith(GrpcCode.unauthenticated, /token refused/));
  }
  // One call each: what the CA refused for good is not tried again.
  assert.equal(outcomes.length, 5);
});

test("takes a certificate of its own for the token only while that can't be reviewed, and never renews one by itself", async (t) => {
  const { ca, clock, port, outcomes } = await startCa(t, { authenticate: () => Promise.reject(new Error("the API server is away")) });
  const obtain = async (id: string, from = ca, ttlS = 600) => {
    const { keyPem, csrPem } = createKeyAndRequest(id);
    return { key: keyPem, cert: toIssuedChain(await from.requestFor(id)(csrPem, ttlS)).chainPem };
  };
  const ask = async (own: { cert: string; key: string } | undefined, metadata: Readonly<Record<string, string>> = {}) => {
    const channel = connectGrpc({
      address: { host: "127.0.0.1", port },
      tls: { roots: ca.rootsPem, servername: "controller.test", ...own },
    });
    t.after(() => channel.close());
    const message = toBinary(
      IstioCertificateRequestSchema,
      create(IstioCertificateRequestSchema, { csr: createKeyAndRequest(uri).csrPem }),
    );
    return channel.unary(CREATE_CERTIFICATE_METHOD, message, { metadata });
  };
  const bearer = { authorization: "Bearer any" };
  const own = await obtain(uri);
  await ask(own, bearer);
  assert.deepEqual(
    outcomes.map((each) => each.identity),
    [uri],
  );
  await assert.rejects(ask(own), failsWith(GrpcCode.unauthenticated, /no bearer token/));
  await assert.rejects(ask(undefined, bearer), failsWith(GrpcCode.unavailable, /the API server is away/));
  const foreign = await obtain(uri, await createTestAuthority(clock));
  await assert.rejects(ask(foreign, bearer), failsWith(GrpcCode.unavailable, /the API server is away/));
});

test("says InvalidArgument for a broken request, a lifetime that is too long and wishes it does not grant", async (t) => {
  const { channel, tokenFile } = await startCa(t);
  const request = createCertificateClient({ channel, tokenFile });
  const { csrPem } = createKeyAndRequest(uri);
  await assert.rejects(request("nonsense", 0), failsWith(GrpcCode.invalidArgument, /no PEM certificate request/));
  await assert.rejects(request(csrPem, 91 * 86_400), failsWith(GrpcCode.invalidArgument, /longer than the allowed 7776000 s/));
  const metadata = { authorization: `Bearer ${readFileSync(tokenFile, "utf8").trim()}` };
  const message = create(IstioCertificateRequestSchema, {
    csr: csrPem,
    metadata: { ImpersonatedIdentity: "spiffe://cluster.local/ns/a/sa/b" },
  });
  await assert.rejects(
    channel.unary(CREATE_CERTIFICATE_METHOD, toBinary(IstioCertificateRequestSchema, message), { metadata }),
    failsWith(GrpcCode.invalidArgument, /ImpersonatedIdentity/),
  );
});

test("says Unavailable when the token can't be reviewed now, and the client tries five times more", async (t) => {
  let asked = 0;
  const { channel, tokenFile } = await startCa(t, {
    authenticate: () => {
      asked++;
      return Promise.reject(new Error("the API server is away"));
    },
  });
  const request = createCertificateClient({ channel, tokenFile, random: () => 0.01 });
  await assert.rejects(request(createKeyAndRequest(uri).csrPem, 0), failsWith(GrpcCode.unavailable, /the API server is away/));
  assert.equal(asked, 6);
});

test("succeeds when a later try does", async (t) => {
  let asked = 0;
  const identity = { namespace: "shop", serviceAccount: "frontend" };
  const { channel, tokenFile } = await startCa(t, {
    authenticate: () => (++asked < 3 ? Promise.reject(new Error("away")) : Promise.resolve({ ok: true, identity })),
  });
  const chain = await createCertificateClient({ channel, tokenFile, random: () => 0.01 })(createKeyAndRequest(uri).csrPem, 0);
  assert.equal(new X509Certificate(chain[0]!).subjectAltName, `URI:${uri}`);
});

test("keeps what went wrong inside the CA from its callers", async (t) => {
  const { channel, tokenFile, outcomes } = await startCa(t, {
    authenticate: () => Promise.resolve({ ok: true, identity: { namespace: "../secret", serviceAccount: "x" } }),
  });
  await assert.rejects(
    createCertificateClient({ channel, tokenFile, random: () => 0 })(createKeyAndRequest(uri).csrPem, 0),
    failsWith(GrpcCode.internal, /^the CA can't sign now$/),
  );
  assert.match(outcomes[0]!.message, /no valid SPIFFE ID/);
});

test("names a token file that is not there", async (t) => {
  const { channel, tokenFile } = await startCa(t);
  await assert.rejects(
    createCertificateClient({ channel, tokenFile: `${tokenFile}.not` })(createKeyAndRequest(uri).csrPem, 0),
    /ENOENT.*token\.not/,
  );
});

test("does not send the token to a server of another root", async (t) => {
  const { port, tokenFile, outcomes } = await startCa(t);
  const channel = connectGrpc({
    address: { host: "127.0.0.1", port },
    tls: { roots: selfSigned("DNS:controller.test").certificate, servername: "controller.test" },
  });
  t.after(() => channel.close());
  await assert.rejects(
    createCertificateClient({ channel, tokenFile, random: () => 0 })(createKeyAndRequest(uri).csrPem, 0),
    failsWith(GrpcCode.unavailable, /certificate/),
  );
  assert.equal(outcomes.length, 0);
});

test("renews the server's certificate at half its life without dropping anybody", async (t) => {
  const { port, clock, ca, certificate, channel, tokenFile } = await startCa(t);
  const serial = async (): Promise<string> => {
    const socket = connectTls({ port, host: "127.0.0.1", ca: ca.rootsPem, servername: "controller.test", ALPNProtocols: ["h2"] });
    await once(socket, "secureConnect");
    const found = socket.getPeerX509Certificate()!.serialNumber;
    socket.destroy();
    return found;
  };
  const request = createCertificateClient({ channel, tokenFile });
  await request(createKeyAndRequest(uri).csrPem, 0);
  const before = await serial();
  const first = certificate.current;
  await clock.advance(29 * 60_000);
  assert.equal(certificate.current, first);
  const renewed = Promise.withResolvers<void>();
  const unsubscribe = certificate.subscribe((pair) => pair !== first && renewed.resolve());
  await clock.advance(2 * 60_000);
  await renewed.promise;
  unsubscribe();
  assert.notEqual(await serial(), before);
  await request(createKeyAndRequest(uri).csrPem, 0);
});

test("gives a sidecar its secrets through the real call", async (t) => {
  const { channel, tokenFile, ca } = await startCa(t);
  const identity = new WorkloadIdentity({
    spiffeId: uri,
    rootsPem: ca.rootsPem,
    requestCertificate: createCertificateClient({ channel, tokenFile }),
    ttlS: 0,
    clock: systemClock,
    onSecrets: () => {},
    log: () => {},
  });
  t.after(() => identity.stop());
  identity.start();
  await identity.ready;
  assert.deepEqual(
    identity.secrets.map((each) => each.name),
    ["default", "ROOTCA"],
  );
});

test("speaks the call as Istio spells it", async (t) => {
  const seen = Promise.withResolvers<Record<string, unknown>>();
  const server = createHttp2Server();
  server.on("session", (session) => t.after(() => session.destroy()));
  server.on("stream", (stream: ServerHttp2Stream, headers) => {
    seen.resolve(headers);
    stream.respond({ ":status": 200, "content-type": "application/grpc", "grpc-status": "12" }, { endStream: true });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const { tokenFile } = await startCa(t);
  const channel = connectGrpc({ address: { host: "127.0.0.1", port: (server.address() as AddressInfo).port } });
  t.after(() => channel.close());
  await assert.rejects(createCertificateClient({ channel, tokenFile, clusterId: "east" })("csr", 0), failsWith(12, /^$/));
  const headers = await seen.promise;
  assert.equal(headers[":path"], "/istio.v1.auth.IstioCertificateService/CreateCertificate");
  assert.equal(headers["clusterid"], "east");
  assert.match(String(headers["authorization"]), /^Bearer [\w-]+\.[\w-]+\.[\w-]+$/);
});
