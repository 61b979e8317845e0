// Source changes → valid objects in the registry. What is invalid is reported, once, and its last good version stays;
// everything else goes on. Of several sources the later one has the last word on an object.
import type { Registry } from "../registry/registry.ts";
import type { SourceChange } from "../sources/source.ts";
import type { MeshObject } from "./mesh-object.ts";
import { formatConfigProblem, objectKey } from "./raw-object.ts";
import type { ConfigProblem, ObjectKey, RawObject } from "./raw-object.ts";
import { validate } from "./validate.ts";

export interface IngestEvents {
  /** A problem that wasn't there before. */
  onProblem(problem: ConfigProblem): void;
  /** A problem that is gone. */
  onSolved(problem: ConfigProblem): void;
}

/** One part's good version of an object. */
interface Candidate {
  readonly part: Part;
  readonly object: MeshObject;
}

interface Part {
  readonly source: number;
  readonly name: string;
  /** What it held when it could last be read. */
  objects: readonly RawObject[];
  problems: readonly ConfigProblem[];
}

export class Ingest {
  readonly #registry: Registry;
  readonly #events: IngestEvents;
  readonly #parts = new Map<string, Part>();
  readonly #candidates = new Map<ObjectKey, Candidate[]>();
  /** Every part that holds an object, valid or not. */
  readonly #holders = new Map<ObjectKey, Set<Part>>();

  constructor(registry: Registry, events: IngestEvents) {
    this.#registry = registry;
    this.#events = events;
  }

  /** @param source place in the order of sources: a later one replaces objects of an earlier one. */
  apply(source: number, changes: readonly SourceChange[]): void {
    const before = this.#index();
    for (const change of changes) this.#applyChange(source, change);
    const after = this.#index();
    for (const [text, problem] of after) if (!before.has(text)) this.#events.onProblem(problem);
    for (const [text, problem] of before) if (!after.has(text)) this.#events.onSolved(problem);
  }

  /** Every problem there is now, by file and line. */
  problems(): ConfigProblem[] {
    const all = [...this.#parts.values()].flatMap((each) => each.problems);
    return all.sort((a, b) => (a.file === b.file ? a.line - b.line : a.file < b.file ? -1 : 1));
  }

  #applyChange(source: number, change: SourceChange): void {
    const id = `${source} ${change.part}`;
    const part = this.#parts.get(id) ?? { source, name: change.part, objects: [], problems: [] };
    this.#parts.set(id, part);
    if (!change.readable) {
      part.problems = change.problems;
      return;
    }
    const freed = this.#replace(part, change.objects, change.problems);
    if (part.objects.length === 0 && part.problems.length === 0) this.#parts.delete(id);
    // A part that was refused an object because this one had it first gets another chance.
    for (const other of new Set([...freed].flatMap((key) => [...(this.#holders.get(key) ?? [])]))) {
      if (other === part || other.source !== source) continue;
      this.#replace(
        other,
        other.objects,
        other.problems.filter((each) => each.object === undefined),
      );
    }
  }

  /** @returns keys of objects that the part no longer holds. */
  #replace(part: Part, objects: readonly RawObject[], fileProblems: readonly ConfigProblem[]): Set<ObjectKey> {
    const problems = [...fileProblems];
    const freed = new Set(part.objects.map(objectKey));
    for (const raw of objects) {
      const key = objectKey(raw);
      freed.delete(key);
      const result = validate(raw);
      if (result.ok && result.object === undefined) continue;
      const rival = this.#candidates.get(key)?.find((each) => each.part.source === part.source && each.part !== part);
      if (rival !== undefined) {
        const message = `is already defined in ${rival.part.name}`;
        problems.push({ file: raw.origin.file, ...raw.origin.locate(["metadata", "name"]), object: key, field: "metadata.name", message });
      } else if (!result.ok) {
        problems.push(...result.problems);
      } else if (result.object !== undefined) {
        this.#propose(key, { part, object: result.object });
      }
    }
    for (const key of freed) this.#withdraw(key, part);
    this.#hold(part, freed, objects);
    part.objects = objects;
    part.problems = problems;
    return freed;
  }

  #hold(part: Part, freed: ReadonlySet<ObjectKey>, objects: readonly RawObject[]): void {
    for (const key of freed) {
      const holders = this.#holders.get(key);
      holders?.delete(part);
      if (holders?.size === 0) this.#holders.delete(key);
    }
    for (const each of objects) {
      const key = objectKey(each);
      const holders = this.#holders.get(key) ?? new Set();
      this.#holders.set(key, holders.add(part));
    }
  }

  #propose(key: ObjectKey, candidate: Candidate): void {
    const others = (this.#candidates.get(key) ?? []).filter((each) => each.part !== candidate.part);
    this.#elect(key, [...others, candidate]);
  }

  #withdraw(key: ObjectKey, part: Part): void {
    const candidates = this.#candidates.get(key);
    if (candidates === undefined) return;
    this.#elect(
      key,
      candidates.filter((each) => each.part !== part),
    );
  }

  #elect(key: ObjectKey, candidates: Candidate[]): void {
    candidates.sort((a, b) => b.part.source - a.part.source);
    const [winner] = candidates;
    if (winner === undefined) {
      this.#candidates.delete(key);
      this.#registry.delete(key);
    } else {
      this.#candidates.set(key, candidates);
      this.#registry.set(key, winner.object);
    }
  }

  #index(): Map<string, ConfigProblem> {
    return new Map(this.problems().map((each) => [formatConfigProblem(each), each]));
  }
}
