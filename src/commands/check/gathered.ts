// One thing that was asked of the cluster before the checks ran: the answer, or why there is none.

/** Thrown by a check that looks at something that couldn't be read; the check then says so instead. */
export class NotGathered extends Error {
  /** What a person does about it. */
  readonly remedy: string;

  constructor(message: string, remedy: string) {
    super(message);
    this.name = "NotGathered";
    this.remedy = remedy;
  }
}

export type Gathered<T> = { readonly value: T } | { readonly missing: NotGathered };

/** @throws NotGathered */
export function valueOf<T>(gathered: Gathered<T>): T {
  if ("missing" in gathered) throw gathered.missing;
  return gathered.value;
}
