// The openssl program as an independent peer for certificates: makes them and judges ours.
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Runs openssl and gives its stdout; throws with its stderr on failure. */
export function openssl(args: readonly string[], input?: string): string {
  // A program that reads nothing may have ended before it is given something: EPIPE.
  const stdin = input === undefined ? "ignore" : "pipe";
  return execFileSync("openssl", args, { ...(input === undefined ? {} : { input }), encoding: "utf8", stdio: [stdin, "pipe", "pipe"] });
}

/** Runs `use` with a folder that holds the given files, and removes it. */
export function withFiles<T>(files: Readonly<Record<string, string>>, use: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), "meshctl-test-"));
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    return use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A self-signed P-256 certificate and its key, PEM. @param san as openssl writes it: `DNS:a.test,IP:127.0.0.1`. */
export function selfSigned(san: string): { certificate: string; key: string } {
  return withFiles({}, (folder) => {
    const out = ["-keyout", join(folder, "key.pem"), "-out", join(folder, "cert.pem")];
    openssl([
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:P-256",
      "-nodes",
      "-days",
      "1",
      "-subj",
      "/O=test",
      "-addext",
      `subjectAltName=${san}`,
      ...out,
    ]);
    return { certificate: readFileSync(join(folder, "cert.pem"), "utf8"), key: readFileSync(join(folder, "key.pem"), "utf8") };
  });
}

/** Does openssl accept the leaf under these roots? Empty text: yes; otherwise what it said. */
export function verifyChain(chain: readonly string[], roots: string): string {
  return withFiles({ "leaf.pem": chain[0]!, "rest.pem": chain.slice(1).join("\n"), "roots.pem": roots }, (folder) => {
    const rest = chain.length > 1 ? ["-untrusted", join(folder, "rest.pem")] : [];
    const run = spawnSync("openssl", ["verify", "-x509_strict", "-CAfile", join(folder, "roots.pem"), ...rest, join(folder, "leaf.pem")], {
      encoding: "utf8",
    });
    return run.status === 0 ? "" : run.stdout + run.stderr;
  });
}
