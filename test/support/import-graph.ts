// What every file under src/ imports, read from its syntax tree: the ground that the architecture test stands on.
import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path/posix";
import ts from "typescript";

export interface Import {
  /** Path from the repository's root for a file of ours (`src/common/clock.ts`), else the specifier (`node:fs`, `koffi`). */
  readonly target: string;
  readonly isOurs: boolean;
  readonly line: number;
  /** `import type`, or all names marked `type`: nothing of it is left when the program runs. */
  readonly isTypeOnly: boolean;
  /** `import("…")`: loaded when the call is reached. */
  readonly isDynamic: boolean;
}

export interface SourceFile {
  /** From the repository's root. */
  readonly path: string;
  readonly lines: number;
  readonly imports: readonly Import[];
  /** Lines that hand another file's exports on. */
  readonly reExports: readonly number[];
  /** Names used as values that belong to the runtime: `Date.now`, `setTimeout`, `process`, `console`, … */
  readonly globals: readonly { readonly name: string; readonly line: number }[];
}

const WATCHED_GLOBALS: ReadonlySet<string> = new Set([
  "setTimeout",
  "setInterval",
  "setImmediate",
  "queueMicrotask",
  "process",
  "console",
  "performance",
  "fetch",
]);

/** All TypeScript files of `src/` below `root`, generated ones left out. */
export function readSources(root: string): SourceFile[] {
  const paths = globSync("src/**/*.ts", { cwd: root, exclude: ["src/xds/gen/**"] });
  return paths.sort().map((path) => parseSource(path, readFileSync(join(root, path), "utf8")));
}

export function parseSource(path: string, text: string): SourceFile {
  const tree = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const imports: Import[] = [];
  const reExports: number[] = [];
  const globals: { name: string; line: number }[] = [];
  const lineOf = (node: ts.Node): number => tree.getLineAndCharacterOfPosition(node.getStart(tree)).line + 1;
  const add = (node: ts.Node, specifier: ts.Expression, isTypeOnly: boolean, isDynamic: boolean): void => {
    if (!ts.isStringLiteral(specifier)) return;
    const isOurs = specifier.text.startsWith(".");
    imports.push({
      target: isOurs ? join(dirname(path), specifier.text) : specifier.text,
      isOurs,
      line: lineOf(node),
      isTypeOnly,
      isDynamic,
    });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node)) {
      add(node, node.moduleSpecifier, isTypeOnlyImport(node), false);
      return;
    }
    if (ts.isExportDeclaration(node) && node.moduleSpecifier !== undefined) {
      add(node, node.moduleSpecifier, node.isTypeOnly, false);
      reExports.push(lineOf(node));
      return;
    }
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) add(node, node.arguments[0]!, false, true);
    if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node, node.argument.literal, true, false);
    if (ts.isIdentifier(node) && isUseOfGlobal(node)) globals.push({ name: node.text, line: lineOf(node) });
    if (ts.isPropertyAccessExpression(node) && node.getText(tree) === "Date.now") globals.push({ name: "Date.now", line: lineOf(node) });
    if (ts.isNewExpression(node) && node.expression.getText(tree) === "Date" && (node.arguments?.length ?? 0) === 0) {
      globals.push({ name: "new Date()", line: lineOf(node) });
    }
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return { path, lines: text.split("\n").length - 1, imports, reExports, globals };
}

function isTypeOnlyImport({ importClause }: ts.ImportDeclaration): boolean {
  if (importClause === undefined) return false;
  if (importClause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true;
  const named = importClause.namedBindings;
  return (
    importClause.name === undefined && named !== undefined && ts.isNamedImports(named) && named.elements.every((each) => each.isTypeOnly)
  );
}

function isUseOfGlobal(node: ts.Identifier): boolean {
  if (!WATCHED_GLOBALS.has(node.text)) return false;
  const parent = node.parent;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  // A field, a parameter or a property of that name is somebody's own.
  return !(ts.isPropertyAssignment(parent) || ts.isPropertySignature(parent) || ts.isParameter(parent) || ts.isVariableDeclaration(parent));
}

/** Circles of imports, each as the list of files that leads back to its first. One circle per knot. */
export function findCycles(files: readonly SourceFile[]): string[][] {
  const targets = new Map(
    files.map((file) => [file.path, file.imports.filter((each) => each.isOurs && !each.isDynamic).map((each) => each.target)]),
  );
  const done = new Set<string>();
  const cycles: string[][] = [];
  const walk = (path: string, trail: string[]): void => {
    const at = trail.indexOf(path);
    if (at >= 0) {
      cycles.push([...trail.slice(at), path]);
      return;
    }
    if (done.has(path)) return;
    for (const target of targets.get(path) ?? []) walk(target, [...trail, path]);
    done.add(path);
  };
  for (const file of files) walk(file.path, []);
  return cycles;
}
