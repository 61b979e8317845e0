// The API server double as a cluster in which meshctl is installed and upgraded: it serves CRDs at once, lets everybody do
// everything, and notes what is applied.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runMeshctl } from "../run-meshctl.ts";
import type { MeshctlResult } from "../run-meshctl.ts";
import { ApiServer } from "./api-server.ts";
import type { SeenRequest } from "./api-server.ts";
import type { ApiFailure } from "./api-status.ts";

const CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/";
const ESTABLISHED = { conditions: [{ type: "Established", status: "True" }] };

export class InstalledCluster {
  readonly server = new ApiServer();
  /** Paths of applies that were to be kept, in order. */
  readonly applied: string[] = [];
  /** Removed by stop. */
  readonly folder = mkdtempSync(join(tmpdir(), "meshctl-cluster-"));
  /** Called for each request before it is looked at. */
  onRequest: (request: SeenRequest) => void = () => undefined;

  constructor() {
    this.server.reviews.set("SelfSubjectAccessReview", () => ({ allowed: true }));
    this.server.onRequest = (request) => {
      const { method, path, query } = request;
      if (method === "PATCH" && !query.has("dryRun")) this.applied.push(path);
      if (method === "GET" && path.startsWith(CRDS)) this.#establish(path.slice(CRDS.length));
      this.onRequest(request);
    };
  }

  async start(): Promise<void> {
    await this.server.start();
    writeFileSync(this.#kubeconfig, this.server.kubeconfig());
  }

  async stop(): Promise<void> {
    await this.server.stop();
    rmSync(this.folder, { recursive: true });
  }

  /** As somebody whose kubeconfig leads here. */
  meshctl(...args: readonly string[]): Promise<MeshctlResult> {
    return runMeshctl(args, { env: { KUBECONFIG: this.#kubeconfig } });
  }

  /** As it was made, but for what it holds. */
  forget(): void {
    this.applied.length = 0;
    this.server.requests.length = 0;
    this.server.forbids = () => false;
    this.onRequest = () => undefined;
  }

  /** Answers the next request that `matches` with a failure; only one, when `once`. */
  fail(matches: (request: SeenRequest) => boolean, failure: ApiFailure, { once = false }: { readonly once?: boolean } = {}): void {
    let isOver = false;
    this.onRequest = (request) => {
      if (isOver || !matches(request)) return;
      isOver = once;
      this.server.failNext(failure);
    };
  }

  get #kubeconfig(): string {
    return join(this.folder, "kubeconfig");
  }

  #establish(name: string): void {
    const crd = this.server.find({ apiVersion: "apiextensions.k8s.io/v1", kind: "CustomResourceDefinition", metadata: { name } });
    if (crd !== undefined && !("status" in crd)) this.server.replace({ ...crd, status: ESTABLISHED });
  }
}
