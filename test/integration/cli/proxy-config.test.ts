// The real bin/meshctl over the dump of an Istio sidecar, compared with what istioctl's users expect to read.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, test } from "node:test";
import { runMeshctl } from "../../support/run-meshctl.ts";

const golden = resolve(import.meta.dirname, "../../golden/proxy-config");
const DUMP = join(golden, "istio-sidecar.json");
const CLUSTERS = join(golden, "clusters.json");

const TABLES: readonly (readonly [file: string, ...args: string[]])[] = [
  ["cluster", "proxy-config", "cluster", "-f", DUMP],
  ["listener", "pc", "listener", "-f", DUMP],
  ["listener-types", "pc", "l", "--verbose=false", "-f", DUMP],
  ["route", "pc", "routes", "-f", DUMP],
  ["route-counts", "pc", "r", "--verbose=false", "-f", DUMP],
  ["endpoint", "pc", "endpoints", "-f", DUMP],
  ["endpoint-live", "pc", "ep", "-f", CLUSTERS],
  ["bootstrap", "pc", "b", "-o", "short", "-f", DUMP],
];

describe("proxy-config of a file", { concurrency: 2 }, () => {
  for (const [name, ...args] of TABLES) {
    test(`prints the table ${name}`, async () => {
      const result = await runMeshctl(args);
      assert.equal(result.stderr, "");
      assert.equal(result.stdout, readFileSync(join(golden, `${name}.txt`), "utf8"));
      assert.equal(result.code, 0);
    });
  }

  async function names(...args: string[]): Promise<string[]> {
    const result = await runMeshctl(["pc", ...args, "-o", "json"]);
    assert.equal(result.stderr, "");
    return (JSON.parse(result.stdout) as { name: string }[]).map((each) => each.name);
  }

  test("selects clusters by direction, subset, port and part of the name", async () => {
    const fqdn = "payments.shop.svc.cluster.local";
    assert.deepEqual(await names("c", "-f", DUMP, "--direction", "INBOUND"), ["inbound|8080||"]);
    assert.deepEqual(await names("c", "-f", DUMP, "--subset", "v2"), [`outbound|8080|v2|${fqdn}`]);
    assert.deepEqual(await names("c", "-f", DUMP, "--port", "9090"), ["outbound|9090||checkout.shop.svc.cluster.local"]);
    assert.deepEqual(await names("c", "-f", DUMP, "--fqdn", "payments", "--subset", "v1"), [`outbound|8080|v1|${fqdn}`]);
  });

  test("selects listeners, routes and endpoints", async () => {
    assert.deepEqual(await names("l", "-f", DUMP, "--address", "fd00::9"), ["10.96.0.9_3306"]);
    assert.deepEqual(await names("l", "-f", DUMP, "--type", "http+tcp"), ["0.0.0.0_8080", "virtualInbound"]);
    assert.deepEqual(await names("r", "-f", DUMP, "--name", "8080"), ["8080"]);
    assert.deepEqual(await names("ep", "-f", CLUSTERS, "--status", "draining"), ["outbound|8080||payments.shop.svc.cluster.local"]);
    assert.deepEqual(await names("ep", "-f", CLUSTERS, "--address", "10.244.0.6", "--port", "8080"), [
      "outbound|80||checkout.shop.svc.cluster.local",
    ]);
  });

  test("prints fields as proto3 JSON names them, and leaves the keys of metadata alone", async () => {
    const clusters = await runMeshctl(["pc", "c", "-f", DUMP, "--subset", "v1", "-o", "json"]);
    const [cluster] = JSON.parse(clusters.stdout) as Record<string, unknown>[];
    assert.deepEqual(cluster!["edsClusterConfig"], {
      edsConfig: { ads: {}, resourceApiVersion: "V3" },
      serviceName: "outbound|8080|v1|payments.shop.svc.cluster.local",
    });
    assert.equal(
      (cluster!["metadata"] as { filterMetadata: { istio: object } }).filterMetadata.istio["default_original_port" as never],
      8080,
    );
    const bootstrap = JSON.parse((await runMeshctl(["pc", "bootstrap", "-f", DUMP])).stdout) as {
      bootstrap: { node: { metadata: object } };
    };
    assert.deepEqual(bootstrap.bootstrap.node.metadata["LABELS" as never], { app_name: "frontend" });
    const secrets = JSON.parse((await runMeshctl(["pc", "secret", "-f", DUMP, "-o", "json"])).stdout) as {
      dynamicActiveSecrets: { secret: { tlsCertificate: { certificateChain: { inlineBytes: string } } } }[];
    };
    const chain = secrets.dynamicActiveSecrets[0]!.secret.tlsCertificate.certificateChain.inlineBytes;
    assert.match(Buffer.from(chain, "base64").toString(), /^-----BEGIN CERTIFICATE-----/);
  });

  test("reads standard input and writes YAML", async () => {
    const result = await runMeshctl(["pc", "r", "-f", "-", "--name", "9999", "-o", "yaml"], { input: readFileSync(DUMP, "utf8") });
    assert.match(
      result.stdout,
      /^- ['"]?@type['"]?: type\.googleapis\.com\/envoy\.config\.route\.v3\.RouteConfiguration\n {2}name: "?'?9999/,
    );
  });
});

describe("proxy-config refuses", { concurrency: 2 }, () => {
  const WRONG: readonly (readonly [title: string, args: readonly string[], code: number, message: RegExp])[] = [
    ["no workload and no file", ["pc", "c"], 64, /no workload is given/],
    ["both a workload and a file", ["pc", "c", "web", "-f", DUMP], 64, /both a workload \(web\) and a file/],
    ["a file that isn't there", ["pc", "c", "-f", "/nonexistent.json"], 1, /can't read \/nonexistent\.json: no such file/],
    ["a folder", ["pc", "c", "-f", golden], 1, /it is a folder/],
    ["an empty file", ["pc", "c", "-f", "/dev/null"], 1, /\/dev\/null is empty/],
    ["a file that is no JSON", ["pc", "c", "-f", join(golden, "cluster.txt")], 1, /is not JSON/],
    ["a dump without the section", ["pc", "s", "-f", CLUSTERS], 1, /has no SecretsConfigDump/],
    ["a port that is none", ["pc", "c", "-f", DUMP, "--port", "70000"], 64, /--port wants a port from 1 to 65535, not "70000"/],
    ["an unknown direction", ["pc", "c", "-f", DUMP, "--direction", "up"], 64, /--direction wants one of inbound, outbound/],
    ["an unknown format", ["pc", "c", "-f", DUMP, "-o", "xml"], 64, /Allowed choices are short, json, yaml/],
    ["an unknown flag", ["pc", "c", "-f", DUMP, "--colour"], 64, /unknown option '--colour'/],
    ["a second workload", ["pc", "c", "a", "b"], 64, /too many arguments/],
  ];
  for (const [title, args, code, message] of WRONG) {
    test(title, async () => {
      const result = await runMeshctl(args);
      assert.match(result.stderr, message);
      assert.equal(result.stdout, "");
      assert.equal(result.code, code);
    });
  }
});
