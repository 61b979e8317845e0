// What one replica of the control plane answers for itself, through the API server's port-forward: its version, the
// proxies that it serves, and the certificate that its webhook port shows.
import { connect, type DetailedPeerCertificate, type TLSSocket } from "node:tls";
import { AdminClient } from "../../../cli/admin-client.ts";
import { UserError } from "../../../common/user-error.ts";
import { fromThrown } from "../../../kube/api-error.ts";
import { openPortForward } from "../../../kube/port-forward.ts";
import { Port } from "../../../xds/names.ts";
import type { Handshake, ReplicaFacts, SyncEntry } from "../cluster-state.ts";
import { NotGathered, type Gathered } from "../gathered.ts";
import { whyMissing, type ClusterQuestions } from "./cluster-questions.ts";

const TIMEOUT_MS = 10_000;

export interface ReplicaQuestions {
  /** Name that the API server asks the webhooks by. */
  readonly webhookHost: string;
  readonly wantsProxies: boolean;
}

export async function askReplica(
  questions: ClusterQuestions,
  namespace: string,
  pod: string,
  { webhookHost, wantsProxies }: ReplicaQuestions,
): Promise<ReplicaFacts> {
  const open = (port: number): ReturnType<typeof openPortForward> =>
    openPortForward(questions.connection, { namespace, pod, port }, { clock: questions.clock, timeoutMs: TIMEOUT_MS });
  const refused = (error: unknown): NotGathered =>
    whyMissing(fromThrown(error), { verb: "get,create", group: "", resource: "pods/portforward", namespace });
  const remedy = `kubectl -n ${namespace} logs ${pod}`;
  const admin = new AdminClient({
    description: pod,
    hint: remedy,
    connect: async () => {
      try {
        return await open(Port.monitoring);
      } catch (error) {
        const { message, remedy: hint } = refused(error);
        throw new UserError(`${pod} can't be asked: ${message}`, hint);
      }
    },
  });
  const ask = async <T>(request: () => Promise<T>): Promise<Gathered<T>> => {
    try {
      return { value: await request() };
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      return { missing: new NotGathered(error.message, error.hint ?? remedy) };
    }
  };
  const shakeHands = async (): Promise<Gathered<Handshake>> => {
    let stream;
    try {
      stream = await open(Port.webhooks);
    } catch (error) {
      const { message, remedy: hint } = refused(error);
      return { missing: new NotGathered(`port ${Port.webhooks} of ${pod}: ${message}`, hint) };
    }
    try {
      return { value: { chain: await readChain(connect({ socket: stream, servername: webhookHost, rejectUnauthorized: false })) } };
    } catch (error) {
      return { missing: new NotGathered(`port ${Port.webhooks} of ${pod}: ${(error as Error).message}`, remedy) };
    } finally {
      stream.destroy();
    }
  };
  try {
    const [version, webhook, proxies] = await Promise.all([
      ask(async () => (await admin.get("/version")).trim()),
      shakeHands(),
      wantsProxies
        ? ask(async () => (await admin.getJson("/debug/syncz")) as readonly SyncEntry[])
        : Promise.resolve({ value: [] as readonly SyncEntry[] }),
    ]);
    return { pod, version, webhook, proxies };
  } finally {
    await admin.close();
  }
}

/** Whatever it shows: whether that is good is a check's question. */
function readChain(socket: TLSSocket): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => socket.destroy(new Error(`no TLS handshake within ${TIMEOUT_MS / 1000} s`)), TIMEOUT_MS);
    socket.on("error", reject);
    socket.on("close", () => {
      clearTimeout(timer);
      reject(new Error("the connection ended within the TLS handshake"));
    });
    socket.once("secureConnect", () => {
      const chain: string[] = [];
      for (let each: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true); each?.raw !== undefined;) {
        const pem = toPem(each.raw);
        // A root names itself as its issuer, without end.
        if (chain.includes(pem)) break;
        chain.push(pem);
        each = each.issuerCertificate;
      }
      resolve(chain);
      socket.destroy();
    });
  });
}

function toPem(der: Buffer): string {
  const lines = der.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join("\n")}\n-----END CERTIFICATE-----\n`;
}
