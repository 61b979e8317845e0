// What an admin command answers.

export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
  /** Called when the answer is on its way. */
  readonly afterwards?: () => void;
}

export function text(body: string): Answer {
  return { status: 200, type: "text/plain; charset=UTF-8", body };
}

export function badRequest(body: string): Answer {
  return { ...text(body), status: 400 };
}

/** One space of indent, as Envoy prints it. */
export function json(value: unknown): Answer {
  return { status: 200, type: "application/json", body: JSON.stringify(value, undefined, 1) };
}

type Json = string | number | boolean | null | undefined | readonly Json[] | { readonly [key: string]: Json };

/** Leaves out what proto3 JSON leaves out: empty texts, zeros, false and what is undefined. Lists and objects stay. */
export function withoutDefaults(fields: { readonly [key: string]: Json }): { [key: string]: Json } {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined && value !== "" && value !== 0 && value !== false),
  );
}
