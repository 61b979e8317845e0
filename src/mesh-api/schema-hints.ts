// What a refinement in code says that a CRD's schema can say too: set with zod's `.meta()`, read by manifests/crd.

export interface SchemaHints {
  /** Of these fields one must be set, and no more. */
  readonly exactlyOneOf?: readonly string[];
  /** Of these fields no more than one may be set. */
  readonly atMostOneOf?: readonly string[];
}
