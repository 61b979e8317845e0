// What every decoder of an xDS resource shares: one list of problems with field paths, the secrets that stood inline, the
// names that the resource refers to, and the check that no field is set which the proxy would silently not act on.
import { fromBinary, isFieldSet } from "@bufbuild/protobuf";
import type { DescField, DescMessage, MessageShape } from "@bufbuild/protobuf";
import type { Any } from "@bufbuild/protobuf/wkt";
import { failure, success } from "../../common/result.ts";
import type { Problem, Result } from "../../common/result.ts";
import type { SecretConfig } from "./tls-config.ts";

/** Where a secret that is referred to by name comes from: over ADS, from the proxy's own identity, or from the bootstrap. */
export type SecretSource = "ads" | "identity" | "static";

export interface References {
  /** Routes to subscribe to. */
  readonly routes: readonly string[];
  readonly secrets: readonly { readonly name: string; readonly source: SecretSource; readonly path: string }[];
}

/** A decoded resource and what came out of it beside the value. */
export interface Decoded<T> {
  readonly value: T;
  /** Secrets that stood inline, named by their content. */
  readonly inlineSecrets: readonly SecretConfig[];
  readonly references: References;
  /** What a person should know and what stops nothing, such as an expired certificate. */
  readonly warnings: readonly Problem[];
}

/** Fields of a message: those the decoder acts on, and those that may be set because they change nothing for this proxy. */
export interface FieldRules<Desc extends DescMessage> {
  readonly schema: Desc;
  readonly unsupported: readonly DescField[];
}

/**
 * @param acts proto names of the fields that the decoder reads.
 * @param harmless proto names of fields that are accepted without effect, each with the reason why nothing is lost.
 */
export function fieldRules<Desc extends DescMessage>(
  schema: Desc,
  acts: readonly string[],
  harmless: Readonly<Record<string, string>> = {},
): FieldRules<Desc> {
  const known = new Set([...acts, ...Object.keys(harmless)]);
  const unsupported = schema.fields.filter((field) => !known.delete(field.name));
  if (known.size > 0) throw new Error(`${schema.typeName} has no field ${[...known].join(", ")}`);
  return { schema, unsupported };
}

export class Decoding {
  readonly #problems: Problem[] = [];
  readonly #warnings: Problem[] = [];
  readonly #inlineSecrets = new Map<string, SecretConfig>();
  readonly #routes = new Set<string>();
  readonly #secrets = new Map<string, { name: string; source: SecretSource; path: string }>();

  problem(path: string, message: string): void {
    this.#problems.push({ path, message });
  }

  warning(path: string, message: string): void {
    this.#warnings.push({ path, message });
  }

  /** A field or value that Envoy knows and this proxy does not act on. */
  unsupported(path: string, detail = ""): void {
    this.problem(path, detail === "" ? "not supported" : `not supported: ${detail}`);
  }

  /** Reports every set field that `rules` does not list. */
  check<Desc extends DescMessage>(rules: FieldRules<Desc>, message: MessageShape<Desc>, path: string): void {
    for (const field of rules.unsupported) {
      if (isFieldSet(message, field)) this.unsupported(join(path, field.name));
    }
  }

  /** The message inside `any` if it is of that type and intact. Another type is reported, with what would be possible. */
  unpack<Desc extends DescMessage>(any: Any | undefined, schema: Desc, path: string, possible: string): MessageShape<Desc> | undefined {
    if (any === undefined || any.typeUrl === "") {
      this.problem(path, `missing; meshctl supports ${possible}`);
      return undefined;
    }
    if (typeName(any) !== schema.typeName) {
      this.problem(path, `unknown extension ${any.typeUrl}; meshctl supports ${possible}`);
      return undefined;
    }
    try {
      return fromBinary(schema, any.value);
    } catch (error) {
      this.problem(path, `not a ${schema.typeName}: ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    }
  }

  addInlineSecret(secret: SecretConfig): void {
    this.#inlineSecrets.set(secret.name, secret);
  }

  referToRoute(name: string): void {
    this.#routes.add(name);
  }

  referToSecret(name: string, source: SecretSource, path: string): void {
    this.#secrets.set(`${source} ${name}`, { name, source, path });
  }

  get failed(): boolean {
    return this.#problems.length > 0;
  }

  finish<T>(value: T): Result<Decoded<T>> {
    if (this.#problems.length > 0) return failure(this.#problems);
    return success({
      value,
      inlineSecrets: [...this.#inlineSecrets.values()],
      references: { routes: [...this.#routes], secrets: [...this.#secrets.values()] },
      warnings: this.#warnings,
    });
  }
}

/** The message name that an Any's type URL ends in. */
export function typeName(any: Any): string {
  return any.typeUrl.slice(any.typeUrl.lastIndexOf("/") + 1);
}

export function join(path: string, field: string): string {
  return path === "" ? field : `${path}.${field}`;
}

/** Runs a decoder over a message, or over the wire bytes of one. */
export function decodeResource<Desc extends DescMessage, T>(
  schema: Desc,
  input: Uint8Array | MessageShape<Desc>,
  path: string,
  decode: (decoding: Decoding, message: MessageShape<Desc>, path: string) => T,
): Result<Decoded<T>> {
  let message: MessageShape<Desc>;
  if (input instanceof Uint8Array) {
    try {
      message = fromBinary(schema, input);
    } catch (error) {
      return failure([{ path, message: `not a ${schema.typeName}: ${error instanceof Error ? error.message : String(error)}` }]);
    }
  } else {
    message = input;
  }
  const decoding = new Decoding();
  return decoding.finish(decode(decoding, message, path));
}
