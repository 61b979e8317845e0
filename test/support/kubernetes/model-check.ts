// Objects against what Kubernetes' OpenAPI description says, without a server: values by the validators of kubernetes-models,
// which let unknown fields pass, and fields by its types.
import { createRequire } from "node:module";
import { dirname } from "node:path";
import ts from "typescript";

export interface TypedObject {
  readonly apiVersion: string;
  readonly kind: string;
}

interface Model {
  validate(): void;
}

const require = createRequire(import.meta.url);
const PACKAGE = "kubernetes-models";
const FOLDER = dirname(require.resolve(`${PACKAGE}/package.json`));

/** One program for all kinds of a test: each costs a second. */
export class ModelCheck {
  readonly #program: ts.Program;
  readonly #checker: ts.TypeChecker;

  constructor(kinds: readonly TypedObject[]) {
    const files = new Set(kinds.map((each) => `${FOLDER}/${pathOf(each)}.d.ts`));
    const options = { module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext, strict: true, noEmit: true };
    this.#program = ts.createProgram([...files], options);
    this.#checker = this.#program.getTypeChecker();
  }

  /** @returns every reason why it isn't an object of its kind, each with its path. */
  async problems(object: TypedObject): Promise<string[]> {
    const models = (await import(`${PACKAGE}/${pathOf(object)}`)) as Readonly<Record<string, new (data: unknown) => Model>>;
    const problems: string[] = [];
    try {
      new models[object.kind]!(object).validate();
    } catch (error) {
      problems.push((error as Error).message);
    }
    this.#walk(object, this.#typeOf(object), "", problems);
    return problems;
  }

  #typeOf(object: TypedObject): ts.Type {
    const file = this.#program.getSourceFile(`${FOLDER}/${pathOf(object)}.d.ts`);
    const module = file === undefined ? undefined : this.#checker.getSymbolAtLocation(file);
    const found = (module === undefined ? [] : this.#checker.getExportsOfModule(module)).find((each) => each.name === `I${object.kind}`);
    if (found === undefined) throw new Error(`${PACKAGE} has no ${object.apiVersion} ${object.kind}`);
    return this.#checker.getDeclaredTypeOfSymbol(found);
  }

  #walk(value: unknown, type: ts.Type, path: string, problems: string[]): void {
    if (typeof value !== "object" || value === null) return;
    const checker = this.#checker;
    const types = (type.isUnion() ? type.types : [type]).map((each) => checker.getNonNullableType(each));
    if (types.some((each) => (each.flags & (ts.TypeFlags.Any | ts.TypeFlags.Unknown)) !== 0)) return;
    if (Array.isArray(value)) {
      const element = types.map((each) => checker.getIndexTypeOfType(each, ts.IndexKind.Number)).find((each) => each !== undefined);
      value.forEach((each, index) => element !== undefined && this.#walk(each, element, `${path}[${index}]`, problems));
      return;
    }
    // Described by nothing: JSON of any kind.
    if (types.every((each) => checker.getPropertiesOfType(each).length === 0 && checker.getIndexInfosOfType(each).length === 0)) return;
    for (const [key, member] of Object.entries(value)) {
      const at = path === "" ? key : `${path}.${key}`;
      const found = types.map((each) => this.#member(each, key)).find((each) => each !== undefined);
      if (found === undefined) problems.push(`${at}: there is no such field`);
      else this.#walk(member, found, at, problems);
    }
  }

  #member(type: ts.Type, key: string): ts.Type | undefined {
    const property = this.#checker.getPropertyOfType(type, key);
    if (property !== undefined) return this.#checker.getTypeOfSymbol(property);
    return this.#checker.getIndexTypeOfType(type, ts.IndexKind.String);
  }
}

/** `apps/v1/Deployment`; the core group has no folder of its own. */
function pathOf({ apiVersion, kind }: TypedObject): string {
  return `${apiVersion}/${kind}`;
}
