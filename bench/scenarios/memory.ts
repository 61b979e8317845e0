// An idle sidecar's anonymous memory: what each further sidecar on a node really costs.
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { UserError } from "../../src/common/user-error.ts";
import { makeCertificates } from "../certificates.ts";
import { freePorts } from "../lab.ts";
import type { Lab } from "../lab.ts";
import { sidecarBootstrap } from "../subject/bootstrap.ts";
import { startMeshctl } from "../subject/meshctl.ts";

const LIMIT_MB = 32;
/** Long enough for start-up garbage to be collected or not, as it would be in a pod. */
const SETTLE_MS = 5_000;

/** @param bootstrapFile instead of the benchmark's own configuration of a client's sidecar. */
export async function memory(lab: Lab, bootstrapFile: string | undefined): Promise<void> {
  const sidecar = startMeshctl(lab, "idle", bootstrapFile === undefined ? await ownBootstrap(lab) : read(bootstrapFile), undefined);
  await delay(SETTLE_MS);
  lab.assertAllRun();
  const megabytes = sidecar.rssAnonMb();
  console.log(
    `  ${megabytes <= LIMIT_MB ? "PASS" : "FAIL"}  idle sidecar: ${megabytes.toFixed(1)} MB anonymous, at most ${LIMIT_MB} wanted`,
  );
}

async function ownBootstrap(lab: Lab): Promise<string> {
  const [adminPort, listenPort, upstreamPort] = (await freePorts(3)) as [number, number, number];
  return sidecarBootstrap({
    adminPort,
    listenPort,
    upstreamPorts: [upstreamPort],
    tls: { end: "client", certificates: await makeCertificates(lab) },
  });
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new UserError(`cannot read ${file}: ${(error as NodeJS.ErrnoException).code}`, "give --bootstrap an Envoy v3 bootstrap");
  }
}
