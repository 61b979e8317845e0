// A local mesh as runner of ordinary YAML: pods, probes, restarts, edits, and that nothing stays behind. Traffic
// through sidecars is in local-shop.test.ts.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { CAN_RUN_LOCAL_MESH, hostNetwork, LocalMesh, meshctl, MESHCTL, runCommand, tracesOf } from "../support/local-mesh.ts";

const NEEDS = CAN_RUN_LOCAL_MESH ? {} : { skip: "needs Linux and root" };

/** An app without a sidecar: these tests are about the pods themselves. */
function appYaml(options: { replicas?: number; greeting?: string; command?: string } = {}): string {
  const program =
    "const http = require('http'); console.log('started');" +
    "http.createServer((q, r) => { if (q.url === '/crash') process.exit(3); r.end(process.env.GREETING + ' ' + process.env.POD_IPS); }).listen(80, '::');";
  return `apiVersion: v1
kind: ConfigMap
metadata: { name: settings }
data: { settings.conf: "answer = 42" }
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ name: http, port: 80, targetPort: http }] }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: ${options.replicas ?? 1}
  selector: { matchLabels: { app: web } }
  template:
    metadata:
      labels: { app: web }
      annotations: { linkerd.io/inject: disabled }
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: web
          command: ${options.command ?? JSON.stringify(["node", "-e", program])}
          env:
            - { name: GREETING, value: ${options.greeting ?? "hello"} }
            - { name: POD_IPS, valueFrom: { fieldRef: { fieldPath: status.podIPs } } }
          ports: [{ name: http, containerPort: 80 }]
          readinessProbe: { httpGet: { path: /, port: http }, periodSeconds: 1 }
          volumeMounts:
            - { name: settings, mountPath: /usr/share/web/settings }
            - { name: scratch, mountPath: /scratch }
      volumes:
        - { name: settings, configMap: { name: settings } }
        - { name: scratch, emptyDir: {} }
`;
}

describe("a pod of the local mesh", NEEDS, () => {
  const mesh = new LocalMesh("pod");
  const file = join(mesh.folder, "app.yaml");
  const write = (text: string): void => writeFileSync(file, text);
  const webPods = async () => (await mesh.status()).pods.filter((pod) => pod.owner.name === "web" && pod.phase !== "Terminating");
  before(async () => {
    write(appYaml());
    await mesh.start("-f", mesh.folder);
  });
  after(() => mesh.stop());

  test("runs the command as a user of its own, with the pod's name, files and addresses", async () => {
    const [pod] = await webPods();
    const script = "id -u; cat /proc/sys/kernel/hostname; cat /usr/share/web/settings/settings.conf; echo; touch /scratch/x && echo wrote";
    const { stdout } = await mesh.exec("web", "sh", "-c", script);
    assert.deepEqual(stdout.trim().split("\n"), ["10001", pod?.name, "answer = 42", "wrote"]);
    assert.equal(pod?.ips.length, 2);
  });

  test("answers on IPv4 and IPv6, and asks the sidecar's address for names", async () => {
    const [pod] = await webPods();
    for (const host of [pod?.ips[0], `[${pod?.ips[1]}]`]) {
      assert.equal((await mesh.exec("web", "curl", "-s", "--max-time", "5", `http://${host}/`)).stdout, `hello ${pod?.ips.join(",")}`);
    }
    assert.match(
      (await mesh.exec("web", "cat", "/etc/resolv.conf")).stdout,
      /^search default\.svc\.cluster\.local svc\.cluster\.local cluster\.local\nnameserver 10\.96\.0\.10\noptions ndots:5\n$/,
    );
  });

  test("can't reach anything outside the sandbox, and is told so at once", async () => {
    // curl: 7 is a refused or unreachable destination, 28 would be a timeout.
    assert.equal((await mesh.exec("web", "curl", "-sS", "--max-time", "5", "http://192.0.2.1/")).code, 7);
    assert.equal((await mesh.exec("web", "curl", "-sS", "--max-time", "5", "http://[2001:db8::1]/")).code, 7);
  });

  test("hands on exit codes, streams and arguments of exec untouched", async () => {
    const { code, stdout, stderr } = await mesh.exec(
      "web",
      "sh",
      "-c",
      'printf "%s|" "$@"; echo oops >&2; exit 7',
      "sh",
      "a b",
      "--name",
      "$x",
    );
    assert.deepEqual([code, stdout, stderr], [7, "a b|--name|$x|", "oops\n"]);
    assert.equal((await mesh.exec("web", "sh", "-c", "kill -TERM $$")).code, 143);
    assert.equal((await mesh.exec("web", "no-such-program")).code, 127);
    const wrong = await meshctl("local", "exec", "web", "-c", "nope", "--name", mesh.name, "--", "true");
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /no container nope\n.*it has web/);
  });

  test("starts again when its app ends, and keeps the log of the run before", async () => {
    const [pod] = await webPods();
    await mesh.exec("web", "curl", "-s", "http://localhost/crash");
    const restarted = await eventually(
      async () => {
        const [now] = await webPods();
        assert.ok(now?.ready === true && now.restarts === (pod?.restarts ?? 0) + 1, JSON.stringify(now));
        return now;
      },
      { withinMs: 10_000 },
    );
    assert.equal(restarted.name, pod?.name);
    assert.equal((await meshctl("local", "logs", "web", "--previous", "--name", mesh.name)).stdout, "started\n");
    assert.equal((await meshctl("local", "logs", "web", "--tail", "1", "--name", mesh.name)).stdout, "started\n");
  });

  test("goes on as it was while its YAML is broken, and follows it when it is mended", async () => {
    const [pod] = await webPods();
    write("kind: [");
    await eventually(async () => assert.match((await mesh.status()).problems.join(), /app\.yaml:1:8: not YAML/), { withinMs: 5000 });
    assert.equal((await webPods())[0]?.name, pod?.name);
    write(appYaml({ replicas: 2 }));
    await eventually(
      async () => {
        const pods = await webPods();
        assert.equal(pods.filter((each) => each.ready).length, 2);
        assert.deepEqual((await mesh.status()).problems, []);
      },
      { withinMs: 10_000 },
    );
  });

  test("tells what the controller refuses, with file, line and field", async () => {
    const path = join(mesh.folder, "mesh.yaml");
    writeFileSync(
      path,
      "apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: { name: default }\nspec: { mtls: { mod: STRICT } }\n",
    );
    await eventually(
      async () =>
        assert.match(
          (await mesh.status()).problems.join(),
          /mesh\.yaml:4:\d+: PeerAuthentication default\/default: spec\.mtls\.mod: unknown field/,
        ),
      {
        withinMs: 5000,
      },
    );
    rmSync(path);
    await eventually(async () => assert.deepEqual((await mesh.status()).problems, []), { withinMs: 5000 });
  });

  test("is replaced when its template changes, and leaves the endpoints before it ends", async () => {
    const old = new Set((await webPods()).map((pod) => pod.name));
    write(appYaml({ greeting: "goodbye" }));
    await eventually(
      async () => {
        const all = (await mesh.status()).pods.filter((pod) => pod.owner.name === "web");
        assert.deepEqual([all.length, all.filter((pod) => old.has(pod.name)).length, all[0]?.ready], [1, 0, true]);
      },
      { withinMs: 15_000 },
    );
    assert.match((await mesh.exec("web", "curl", "-s", "http://localhost/")).stdout, /^goodbye/);
    const slice = JSON.parse(readFileSync(join(mesh.runFolder, "objects/endpointslice_default_web-0-ipv4.json"), "utf8")) as {
      endpoints: unknown[];
    };
    assert.equal(slice.endpoints.length, 1);
  });

  test("backs off when its app keeps ending, and says so", async () => {
    write(appYaml({ command: '["sh", "-c", "echo no luck; exit 9"]' }));
    await eventually(
      async () => {
        const result = await meshctl("local", "status", "--name", mesh.name);
        assert.match(result.stdout, /degraded[^]*CrashLoopBackOff/);
      },
      { withinMs: 15_000 },
    );
  });
});

describe("a local mesh that can't start", NEEDS, () => {
  const cases: readonly (readonly [string, string, RegExp])[] = [
    [
      "an app that ends at once",
      appYaml({ command: '["sh", "-c", "echo no luck; exit 9"]' }),
      /pod web-\S+ does not come up: container web keeps ending \(exit code 9\)[^]*no luck/,
    ],
    [
      "a ConfigMap that is not there",
      appYaml().replace("configMap: { name: settings }", "configMap: { name: gone }"),
      /ConfigMap gone not found/,
    ],
    [
      "an app that is the sidecar's user",
      appYaml().replace("- name: web\n", "- name: web\n          securityContext: { runAsUser: 1337 }\n"),
      /container web runs as user 1337/,
    ],
    [
      "an unknown field of the mesh API",
      `${appYaml()}---\napiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: { name: p }\nspec: { mtl: {} }\n`,
      /app\.yaml:\d+:\d+: PeerAuthentication default\/p: spec\.mtl: unknown field; did you mean "mtls"/,
    ],
  ];
  for (const [what, yaml, message] of cases) {
    test(`because of ${what} says why and leaves nothing`, async () => {
      const mesh = new LocalMesh("failing");
      try {
        writeFileSync(join(mesh.folder, "app.yaml"), yaml);
        const result = await mesh.tryStart("-f", mesh.folder);
        assert.equal(result.code, 1);
        assert.match(result.stderr, message);
        assert.deepEqual(await tracesOf(mesh.name), []);
      } finally {
        await mesh.stop();
      }
    });
  }

  for (const [what, args, message, code] of [
    ["a file that is not there", ["-f", "/nonexistent.yaml"], /-f \/nonexistent\.yaml: no such file/, 1],
    ["a name that is none", ["--name", "A_b"], /"A_b" is not a name/, 1],
    ["a Service that is not there", ["--publish", "nope:80"], /no Service nope/, 1],
    ["a published port that is none", ["--publish", "frontend:http"], /SERVICE:PORT/, 64],
    ["a flag that is none", ["--detached"], /unknown option '--detached'/, 64],
  ] as const) {
    test(`because of ${what} says so before anything starts`, async () => {
      const mesh = new LocalMesh("refused");
      try {
        const result = await meshctl("local", "up", "--detach", "--name", mesh.name, ...args);
        assert.equal(result.code, code, result.stderr);
        assert.match(result.stderr, message);
        assert.deepEqual(await tracesOf(mesh.name), []);
      } finally {
        await mesh.stop();
      }
    });
  }
});

describe("the sandbox", NEEDS, () => {
  test("leaves the machine's network as it was, and nothing behind after kill -9 of everything and down", async () => {
    const mesh = new LocalMesh("killed");
    try {
      const before = await hostNetwork();
      writeFileSync(join(mesh.folder, "app.yaml"), appYaml());
      await mesh.start("-f", mesh.folder);
      assert.equal(await hostNetwork(), before);
      const netns = readlinkSync(`/proc/${mesh.sandboxPid()}/ns/net`);
      const inside = (await mesh.inSandbox("ps", "-eo", "pid=")).stdout.trim().split(/\s+/).length;
      assert.ok(inside > 3, `${inside} processes`);
      process.kill(mesh.sandboxPid(), "SIGKILL");
      await eventually(async () => assert.match((await meshctl("local", "status", "--name", mesh.name)).stderr, /no local mesh named/), {
        withinMs: 5000,
      });
      const down = await meshctl("local", "down", "--name", mesh.name);
      assert.equal(down.code, 0, down.stderr);
      assert.deepEqual(await tracesOf(mesh.name), []);
      assert.equal(await hostNetwork(), before);
      const { stdout } = await runCommand("lsns", ["--noheadings", "--output", "NS", "--type", "net"]);
      assert.ok(!stdout.includes(netns.slice(5, -1)), "its network namespace is still there");
    } finally {
      await mesh.stop();
    }
  });

  test("lets two meshes run side by side, each with the same addresses and names", async () => {
    const meshes = [new LocalMesh("left"), new LocalMesh("right")];
    try {
      await Promise.all(
        meshes.map((mesh) => {
          writeFileSync(join(mesh.folder, "app.yaml"), appYaml({ greeting: mesh.name }));
          return mesh.start("-f", mesh.folder);
        }),
      );
      for (const mesh of meshes) {
        assert.equal((await mesh.status()).pods[0]?.ip, "10.244.0.3");
        assert.match((await mesh.exec("web", "curl", "-s", "http://10.244.0.3/")).stdout, new RegExp(`^${mesh.name} `));
      }
      const again = await meshes[0]!.tryStart("-f", meshes[0]!.folder);
      assert.equal(again.code, 1);
      assert.match(again.stderr, /is running already/);
      await meshctl("local", "down", "--name", meshes[0]!.name);
      assert.equal((await meshes[1]!.exec("web", "true")).code, 0);
    } finally {
      await Promise.all(meshes.map((mesh) => mesh.stop()));
    }
  });

  for (const signal of ["SIGINT", "SIGKILL"] as const) {
    test(`ends with an up in the foreground that gets ${signal}`, async () => {
      const mesh = new LocalMesh("foreground");
      writeFileSync(join(mesh.folder, "app.yaml"), appYaml());
      const up = spawn(MESHCTL, ["local", "up", "--name", mesh.name, "-f", mesh.folder], { stdio: ["ignore", "pipe", "ignore"] });
      let said = "";
      up.stdout.setEncoding("utf8").on("data", (text: string) => (said += text));
      const ended = new Promise<number | null>((resolve) => up.once("exit", resolve));
      try {
        await eventually(() => assert.match(said, /Ctrl-C stops it/), { withinMs: 20_000 });
        up.kill(signal);
        const code = await ended;
        if (signal === "SIGINT") assert.equal(code, 0);
        await eventually(async () => assert.match((await meshctl("local", "status", "--name", mesh.name)).stderr, /no local mesh named/), {
          withinMs: 10_000,
        });
        if (signal === "SIGINT") assert.deepEqual(await tracesOf(mesh.name), []);
      } finally {
        up.kill("SIGKILL");
        await mesh.stop();
      }
    });
  }
});
