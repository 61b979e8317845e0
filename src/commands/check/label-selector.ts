// Kubernetes' label selectors, as webhook configurations have them.

export interface LabelSelector {
  readonly matchLabels?: Readonly<Record<string, string>> | null;
  readonly matchExpressions?:
    readonly { readonly key: string; readonly operator: string; readonly values?: readonly string[] | null }[] | null;
}

/** An absent or empty selector selects everything; an operator of a later Kubernetes nothing. */
export function isSelected(selector: LabelSelector | null | undefined, labels: Readonly<Record<string, string>> | undefined): boolean {
  const own = labels ?? {};
  return (
    Object.entries(selector?.matchLabels ?? {}).every(([key, value]) => own[key] === value) &&
    (selector?.matchExpressions ?? []).every(({ key, operator, values }) => {
      const value = own[key];
      const isListed = value !== undefined && (values ?? []).includes(value);
      switch (operator) {
        case "In":
          return isListed;
        case "NotIn":
          return !isListed;
        case "Exists":
          return value !== undefined;
        case "DoesNotExist":
          return value === undefined;
        default:
          return false;
      }
    })
  );
}
