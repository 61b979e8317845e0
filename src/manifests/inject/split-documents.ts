// Cuts a file into its documents, so that each is edited by itself and whatever lies between them stays.

export interface DocumentText {
  readonly text: string;
  /** Line of the file in which the text starts, from 1. */
  readonly line: number;
}

/** The texts, joined, are the file. */
export function splitDocuments(file: string): DocumentText[] {
  return splitJson(file) ?? splitYaml(file);
}

/** Objects of JSON one behind the other, as jq prints them and kubectl reads them. Undefined where there are not several. */
function splitJson(file: string): DocumentText[] | undefined {
  if (!/^\uFEFF?\s*\{/.test(file)) return undefined;
  const ends: number[] = [];
  let depth = 0;
  const marks = /["{}[\]]/g;
  for (let found = marks.exec(file); found !== null; found = marks.exec(file)) {
    const [mark] = found;
    if (mark === '"') marks.lastIndex = endOfString(file, marks.lastIndex);
    else if (mark === "{" || mark === "[") depth++;
    else if (--depth === 0) ends.push(marks.lastIndex);
  }
  if (ends.length < 2) return undefined;
  ends[ends.length - 1] = file.length;
  let line = 1;
  const documents = ends.map((end, index) => {
    const text = file.slice(ends[index - 1] ?? 0, end);
    const document = { text, line };
    line += text.split("\n").length - 1;
    return document;
  });
  return documents.every(({ text }) => isJsonText(text)) ? documents : undefined;
}

/** Behind the closing quote. A pattern of the whole string would overflow the stack for one of some megabytes. */
function endOfString(file: string, from: number): number {
  const mark = /["\\]/g;
  mark.lastIndex = from;
  for (let found = mark.exec(file); found !== null; found = mark.exec(file)) {
    if (found[0] === '"') return mark.lastIndex;
    mark.lastIndex++;
  }
  return file.length;
}

function isJsonText(text: string): boolean {
  try {
    JSON.parse(text.replace(/^\uFEFF/, ""));
    return true;
  } catch {
    return false;
  }
}

/**
 * A `---` or `...` at the start of a line ends a document wherever it is, in block scalars and quotes too (YAML 1.2
 * §9.1.2). Comments and directives in front of a `---` belong to the document that it starts.
 */
function splitYaml(file: string): DocumentText[] {
  const documents: DocumentText[] = [];
  let start = 0;
  let startLine = 1;
  let hasContent = false;
  const cut = (at: number, line: number): void => {
    if (at > start) documents.push({ text: file.slice(start, at), line: startLine });
    start = at;
    startLine = line;
    hasContent = false;
  };
  let line = 1;
  for (let at = 0; at < file.length; line++) {
    const found = file.indexOf("\n", at);
    const next = found < 0 ? file.length : found + 1;
    const mark = markAt(file, at);
    if (mark === "---") {
      if (hasContent) cut(at, line);
      hasContent = true;
    } else if (mark === "...") cut(next, line + 1);
    else if (!hasContent) hasContent = !/^[ \t\r\uFEFF]*(?:#|$)|^%/.test(file.slice(at, next).trimEnd());
    at = next;
  }
  cut(file.length, line);
  return documents;
}

function markAt(file: string, at: number): string | undefined {
  const first = file.charCodeAt(at);
  if (first !== 0x2d && first !== 0x2e) return undefined;
  const mark = file.slice(at, at + 3);
  const behind = file[at + 3] ?? "\n";
  return (mark === "---" || mark === "...") && /\s/.test(behind) ? mark : undefined;
}
