// Sends the connected sidecars to other replicas before this one ends: one after the other, so that those aren't asked for
// everything by everybody at once.
import { sleep } from "../../common/clock.ts";
import type { Clock } from "../../common/clock.ts";

/** Also for very many; well below a pod's 30 s of grace. */
const LONGEST_MS = 5_000;
const GAP_MS = 100;
/** By then nobody is sent to a pod that isn't ready: kube-proxy has heard of it. */
const FIRST_MS = 1_000;

interface Stream {
  close(): void;
}

/** @param streams those that are open at any moment: who comes while it goes on is sent away too. */
export async function drainStreams(streams: ReadonlySet<Stream>, clock: Clock): Promise<void> {
  if (streams.size === 0) return;
  await sleep(clock, FIRST_MS);
  const count = streams.size;
  const perGap = Math.max(1, Math.ceil((count * GAP_MS) / LONGEST_MS));
  const endMs = clock.now() + LONGEST_MS;
  const closed = new Set<Stream>();
  while (clock.now() < endMs) {
    const next = [...streams].filter((each) => !closed.has(each)).slice(0, perGap);
    if (next.length === 0) return;
    for (const each of next) {
      closed.add(each);
      each.close();
    }
    await sleep(clock, GAP_MS);
  }
  for (const each of streams) if (!closed.has(each)) each.close();
}
