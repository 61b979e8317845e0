// A value or every problem found on the way to it: what decoders and validators return.

/** One problem of a configuration: where it is (a field path such as `http[0].route[1].weight`) and what is wrong. */
export interface Problem {
  readonly path: string;
  readonly message: string;
}

export type Result<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problems: readonly Problem[] };

export function success<T>(value: T): Result<T> {
  return { ok: true, value };
}

export function failure<T>(problems: readonly Problem[]): Result<T> {
  return { ok: false, problems };
}

/** Renders problems as one line: `path: message; path: message`. */
export function formatProblems(problems: readonly Problem[]): string {
  return problems.map((each) => (each.path === "" ? each.message : `${each.path}: ${each.message}`)).join("; ");
}
