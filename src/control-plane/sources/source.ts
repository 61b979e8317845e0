// Where configuration comes from: a directory here, the Kubernetes API in a cluster. A source speaks of parts: a part is
// whatever is read in one piece (a file, an object), and each change says everything that the part holds now.
import type { ConfigProblem, RawObject } from "../ingest/raw-object.ts";

export interface SourceChange {
  /** Names the part, for as long as the source lives. */
  readonly part: string;
  /** All objects of the part; none when it is gone. */
  readonly objects: readonly RawObject[];
  readonly problems: readonly ConfigProblem[];
  /** False: the part couldn't be understood, and what it held before stays. */
  readonly readable: boolean;
}

export interface Source {
  /**
   * Reads everything once, then reports changes until stopped. Resolves when the first reading has been reported, and
   * rejects with SourceStopped when it is stopped before that.
   * @param onChange called with the changes that were found together.
   */
  start(onChange: (changes: readonly SourceChange[]) => void): Promise<void>;
  stop(): void;
}

export class SourceStopped extends Error {}
