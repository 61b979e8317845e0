// Whose token is it, as the cluster's API server says (TokenReview). Answers are kept for a moment: a sidecar that starts
// shows its token twice, and one whose controller went away comes back with the same.
import { createHash } from "node:crypto";
import type { Authentication, Authenticator } from "../../ca/authority/authenticator.ts";
import type { Clock } from "../../common/clock.ts";
import { fromThrown } from "../../kube/api-error.ts";
import type { ApiError } from "../../kube/api-error.ts";
import type { KubeObjects } from "../../kube/objects.ts";
import { TOKEN_AUDIENCE } from "../../xds/names.ts";

export interface TokenReviewerOptions {
  readonly objects: KubeObjects;
  readonly clock: Clock;
  /** `failed`: the question could not be asked. */
  readonly onReview: (result: "accepted" | "refused" | "failed") => void;
  /** Another reason than before why the API server can't be asked. */
  readonly onTrouble: (error: ApiError) => void;
}

/** How long a deleted pod's token may still be believed. */
const ACCEPTED_MS = 30_000;
/** A pod that is new may not be known to every API server yet. */
const REFUSED_MS = 2_000;
const MAX_ANSWERS = 10_000;
/** Strangers can ask, too; the API server has other things to do. */
const MAX_REVIEWS = 50;
const MAX_WAITING = 5_000;
const MAX_TOKEN_BYTES = 16 * 1024;

interface TokenReviewStatus {
  readonly authenticated?: boolean;
  readonly user?: { readonly username?: string; readonly extra?: Readonly<Record<string, readonly string[] | undefined>> };
  readonly audiences?: readonly string[];
  readonly error?: string;
}

export function createTokenReviewer({ objects, clock, onReview, onTrouble }: TokenReviewerOptions): Authenticator {
  /** By the token's digest, oldest first. */
  const answers = new Map<string, { readonly answer: Authentication; readonly untilMs: number }>();
  const running = new Map<string, Promise<Authentication>>();
  const waiting: (() => void)[] = [];
  let reviews = 0;
  let trouble: string | undefined;

  async function review(token: string): Promise<Authentication> {
    if (reviews >= MAX_REVIEWS) {
      if (waiting.length >= MAX_WAITING) throw new Error("too many tokens wait for being checked");
      // Whoever ends hands its place on.
      await new Promise<void>((resolve) => waiting.push(resolve));
    } else reviews++;
    try {
      const spec = { token, audiences: [TOKEN_AUDIENCE] };
      const made = await objects.create({ apiVersion: "authentication.k8s.io/v1", kind: "TokenReview", metadata: {}, spec });
      trouble = undefined;
      const answer = toAuthentication(made["status"] ?? {});
      onReview(answer.ok ? "accepted" : "refused");
      return answer;
    } catch (thrown) {
      const error = fromThrown(thrown);
      if (error.message !== trouble) onTrouble(error);
      trouble = error.message;
      onReview("failed");
      throw new Error(`the API server can't be asked: ${error.message}`, { cause: error });
    } finally {
      const next = waiting.shift();
      if (next === undefined) reviews--;
      else next();
    }
  }

  function keep(key: string, answer: Authentication): void {
    answers.delete(key);
    answers.set(key, { answer, untilMs: clock.now() + (answer.ok ? ACCEPTED_MS : REFUSED_MS) });
    for (const oldest of answers.keys()) {
      if (answers.size <= MAX_ANSWERS) break;
      answers.delete(oldest);
    }
  }

  return async (token) => {
    if (token.length > MAX_TOKEN_BYTES) return { ok: false, reason: "token refused: it is too long" };
    const key = createHash("sha256").update(token).digest("base64");
    const kept = answers.get(key);
    if (kept !== undefined && clock.now() < kept.untilMs) return kept.answer;
    let asked = running.get(key);
    if (asked === undefined) {
      asked = review(token).finally(() => running.delete(key));
      running.set(key, asked);
    }
    const answer = await asked;
    keep(key, answer);
    return answer;
  };
}

function toAuthentication({ authenticated, user, audiences, error }: TokenReviewStatus): Authentication {
  const refuse = (why: string): Authentication => ({ ok: false, reason: `token refused: ${why}` });
  if (authenticated !== true) return refuse(error || "the API server doesn't know it");
  // An API server that knows no audiences accepts every token, and names none.
  if (!(audiences ?? []).includes(TOKEN_AUDIENCE)) return refuse(`it is not for the audience ${TOKEN_AUDIENCE}`);
  const account = /^system:serviceaccount:([a-z0-9.-]+):([a-z0-9.-]+)$/.exec(user?.username ?? "");
  if (account === null) return refuse("it is of no service account");
  const name = user?.extra?.["authentication.kubernetes.io/pod-name"]?.[0];
  const uid = user?.extra?.["authentication.kubernetes.io/pod-uid"]?.[0];
  if (name === undefined || uid === undefined) return refuse("it is bound to no pod; use the one that the kubelet puts into the pod");
  return { ok: true, identity: { namespace: account[1]!, serviceAccount: account[2]!, pod: { name, uid } } };
}
