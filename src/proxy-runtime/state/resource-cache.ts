// The resources of one type that were accepted last, and what was refused since. A resource whose bytes did not change
// keeps its very value, so that whoever applies a configuration sees by === what to skip.
import { formatProblems } from "../../common/result.ts";
import type { Problem } from "../../common/result.ts";
import type { References } from "../config/decoding.ts";
import type { ResourceError, ResourceRecord } from "../config/resource-record.ts";
import type { SecretConfig } from "../config/tls-config.ts";
import type { ResourceKind } from "./resource-kinds.ts";

export interface Entry<T> {
  readonly value: T;
  readonly bytes: Uint8Array;
  readonly version: string;
  readonly updatedAt: number;
  readonly references: References;
  readonly inlineSecrets: readonly SecretConfig[];
}

export interface Verdict {
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
}

export class ResourceCache<T> {
  readonly kind: ResourceKind<T>;
  /** A reason to refuse a resource that decodes well; undefined: none. */
  readonly #objection: (entry: Entry<T>, name: string) => string | undefined;
  #entries = new Map<string, Entry<T>>();
  readonly #errors = new Map<string, ResourceError>();

  constructor(kind: ResourceKind<T>, objection: (entry: Entry<T>, name: string) => string | undefined = () => undefined) {
    this.kind = kind;
    this.#objection = objection;
  }

  get entries(): ReadonlyMap<string, Entry<T>> {
    return this.#entries;
  }

  /**
   * Takes a response. Good resources are taken even when others are bad, as Envoy does; a bad one leaves its last good
   * version where it was.
   */
  accept(version: string, resources: readonly Uint8Array[], now: number): Verdict {
    const problems: Problem[] = [];
    const warnings: Problem[] = [];
    const next = new Map(this.kind.isWholeSet ? [] : this.#entries);
    const seen = new Set<string>();
    let hasUnnamed = false;
    resources.forEach((bytes, index) => {
      const parsed = this.kind.parse(bytes);
      if (parsed === undefined || parsed.name === "") {
        hasUnnamed = true;
        problems.push({
          path: `resources[${index}]`,
          message: parsed === undefined ? `not a ${this.kind.typeUrl.slice(this.kind.typeUrl.lastIndexOf("/") + 1)}` : "has no name",
        });
        return;
      }
      const { name } = parsed;
      if (seen.has(name)) {
        problems.push({ path: name, message: "stands twice in the response" });
        return;
      }
      seen.add(name);
      const known = this.#entries.get(name);
      const result = known !== undefined && sameBytes(known.bytes, bytes) ? known : this.#decode(parsed, bytes, version, now);
      if ("problems" in result) {
        problems.push(...result.problems.map((each) => within(name, each)));
        this.#errors.set(name, { details: formatProblems(result.problems), version, bytes, at: now });
        if (known !== undefined) next.set(name, known);
        return;
      }
      this.#errors.delete(name);
      warnings.push(...("warnings" in result ? result.warnings.map((each) => within(name, each)) : []));
      next.set(name, "entry" in result ? result.entry : result);
    });
    if (hasUnnamed) {
      // Whose new version it was can't be told, so nothing counts as gone.
      for (const [name, entry] of this.#entries) if (!next.has(name)) next.set(name, entry);
    } else if (this.kind.isWholeSet) {
      for (const name of this.#errors.keys()) if (!seen.has(name)) this.#errors.delete(name);
    }
    this.#entries = next;
    return { problems, warnings };
  }

  /** Forgets what nobody refers to any more. */
  retain(names: ReadonlySet<string>): void {
    for (const name of this.#entries.keys()) if (!names.has(name)) this.#entries.delete(name);
    for (const name of this.#errors.keys()) if (!names.has(name)) this.#errors.delete(name);
  }

  /** @param isActive whether the data path has this value already. */
  *records(isActive: (name: string, value: T) => boolean): Generator<ResourceRecord> {
    const { typeUrl } = this.kind;
    for (const [name, { value, version, bytes, updatedAt }] of this.#entries) {
      yield {
        typeUrl,
        name,
        version,
        bytes,
        updatedAt,
        state: isActive(name, value) ? "active" : "warming",
        error: this.#errors.get(name),
      };
    }
    for (const [name, error] of this.#errors) {
      if (this.#entries.has(name)) continue;
      yield { typeUrl, name, version: "", bytes: new Uint8Array(), updatedAt: error.at, state: "warming", error };
    }
  }

  #decode(
    parsed: NonNullable<ReturnType<ResourceKind<T>["parse"]>>,
    bytes: Uint8Array,
    version: string,
    now: number,
  ): { readonly entry: Entry<T>; readonly warnings: readonly Problem[] } | { readonly problems: readonly Problem[] } {
    const result = parsed.decode();
    if (!result.ok) return { problems: result.problems };
    const { value, references, inlineSecrets, warnings } = result.value;
    const entry: Entry<T> = { value, bytes, version, updatedAt: now, references, inlineSecrets };
    const objection = this.#objection(entry, parsed.name);
    return objection === undefined ? { entry, warnings } : { problems: [{ path: "", message: objection }] };
  }
}

function within(name: string, problem: Problem): Problem {
  return { path: problem.path === "" ? name : `${name}: ${problem.path}`, message: problem.message };
}

function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && Buffer.compare(left, right) === 0;
}
